"""Pages are rendered by Jinja2 from the HTML, CSS and JavaScript in the folder `templates`."""

from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO

from producer.output_file import FileKind
from settings.extras import require

if TYPE_CHECKING:
    from jinja2 import Environment

# Every page has it in its head, before anything that depends on pictures.
GENERATOR = b'<meta name="generator" content="Darkroom">'
HEAD_BYTES = 2048


def _is_our_page(file: BinaryIO) -> bool:
    return GENERATOR in file.read(HEAD_BYTES)


PAGE = FileKind((".html", ".htm"), _is_our_page)


def require_jinja(extra: str) -> None:
    """Raise ServiceMissing where Jinja2 is missing; `extra` brings it and what else the page needs."""
    require("jinja2", extra, "Pages need Jinja2")


def render(template: str, **values: Any) -> str:
    """The page that a file of `templates` makes of these values, which may hold any text: none of it becomes markup."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> "Environment":
    # Imported here: most commands make no page.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("producer.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printable,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # In the order in which they come and without spaces: a map holds a hundred thousand names.
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return environment


def _printable(value: object) -> object:
    """The text of a value without what no page can hold: lone surrogates, control characters."""
    if hasattr(value, "__html__"):
        return value
    text = str(value).encode("utf-8", "replace").decode("utf-8")
    return text if text.isprintable() else "".join(letter if letter.isprintable() else " " for letter in text)
