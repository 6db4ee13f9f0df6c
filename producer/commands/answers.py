"""Answers of searches as they are printed: one, or several of one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from producer.commands.options import STDERR, STDOUT, ResultOptions, print_json, print_note, print_paths

if TYPE_CHECKING:
    from producer.pages.html_file import HtmlPage
    from producer.search.search import SearchResult

# A model takes some words at a time; of a longer text it does not see the end.
CUT = "The model takes fewer words at a time: the last ones of {} did not count."


def show(
    result: "SearchResult", query: dict[str, Any], title: str, page: "HtmlPage | None", options: ResultOptions
) -> None:
    """Print the results, and make the page of them that was asked for."""
    from producer.commands.results import drawer, nothing, page_note, page_sections, print_results

    answer = {**query, "where": list(options.conditions), **_answer(result)}
    if options.paths_alone:
        print_paths((picture.uri for picture in result), options.zero)
    elif not options.as_json:
        print_results(result.to_dicts(), STDOUT, drawer(STDOUT, options.pictures))
    for text in result.cut:
        print_note(CUT.format("yours" if text == query.get("query") else f"{text[:40]!r}…"), paths=True)
    if not result and not options.as_json:
        print_note(nothing(options.conditions, result.least), options.paths_alone)
    if page is not None:
        title = f"Pictures like {result.picture.path.name}" if result.picture else title
        note = page_note(len(result), options.conditions)
        answer["html"] = str(page.make(title, note, page_sections(result), STDERR))
    if options.as_json:
        print_json(answer)


def show_answers(
    texts: Sequence[str], found: "Sequence[SearchResult]", page: "HtmlPage | None", options: ResultOptions
) -> None:
    """Print the answers to several questions, one after the other; in a pipe each record begins with its question."""
    from producer.commands.results import drawer, page_note, print_answers, print_results
    from producer.pages.contact_sheet import Section

    if options.paths_alone:
        print_paths((picture.uri for result in found for picture in result), options.zero)
    elif not options.as_json and not STDOUT.is_terminal:
        print_answers(texts, found, STDOUT)
    elif not options.as_json:
        for text, result in zip(texts, found, strict=True):
            STDOUT.print(Text(text, style="bold"), soft_wrap=True)
            print_results(result.to_dicts(), STDOUT, drawer(STDOUT, options.pictures))
            STDOUT.print()
    for text in dict.fromkeys(text for result in found for text in result.cut):
        print_note(CUT.format(f"{text[:40]!r}…"), paths=True)
    answer: dict[str, Any] = {
        "where": list(options.conditions),
        "queries": [{"query": text, **_answer(result)} for text, result in zip(texts, found, strict=True)],
    }
    if page is not None:
        sections = [Section(text, result.to_dicts()) for text, result in zip(texts, found, strict=True)]
        note = page_note(sum(map(len, found)), options.conditions)
        answer["html"] = str(page.make("Pictures", note, sections, STDERR))
    if options.as_json:
        print_json(answer)


def _answer(result: "SearchResult") -> dict[str, Any]:
    answer: dict[str, Any] = {"results": result.to_dicts()}
    if result.is_cut:
        answer["cut"] = True
    if result.least is not None:
        answer["min_score"] = round(result.least, 4)
    return answer
