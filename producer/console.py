"""The terminal that commands print to, which no text of a file can steer, and the bar of work that takes a while."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from settings.plain_text import printable_lines

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


class PlainConsole(Console):
    """A console that shows control characters instead of sending them; what rich itself sends to a terminal passes."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See Console."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))


def progress(console: Console, amount: "ProgressColumn | None" = None) -> "Progress":
    """A bar that goes when it is done, with how much is done (by default how many of how many); none in a pipe."""
    # Imported here: most commands draw no bar.
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), amount or MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
