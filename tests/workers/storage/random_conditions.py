"""Conditions as a person writes them, drawn by Hypothesis, each with a plain function that says what it means."""

import math
import operator
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from tests.workers.storage import random_payloads as drawn

Payload = dict[str, Any]
# A condition as a person writes it, and what it means.
Condition = tuple[str, Callable[[Payload], bool]]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def seen(text: str) -> str:
    """A text as people see it, who tell neither case nor forms of accents apart."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return folded.replace("i\u0307", "i").replace("\u0131", "i")


def texts(field: str, values: list[str]) -> st.SearchStrategy[Condition]:
    """A name, or patterns for it."""
    patterns = [*values, *(value.upper() for value in values), "canon*", "*50*", "?100", "h*", "*", "nothing*"]

    def condition(chosen: list[str], sign: str) -> Condition:
        def means(payload: Payload) -> bool:
            value = payload.get(field)
            held = value if isinstance(value, list) else [] if value is None else [value]
            found = any(
                re.fullmatch(re.escape(seen(pattern)).replace(r"\*", ".*").replace(r"\?", "."), seen(each))
                for each in held
                for pattern in chosen
            )
            return found == (sign == "=")

        return f"{field}{sign}{'|'.join(chosen)}", means

    return st.builds(
        condition, st.lists(st.sampled_from(patterns), min_size=1, max_size=2), st.sampled_from(["=", "!="])
    )


def numbers(field: str) -> st.SearchStrategy[Condition]:
    """A whole number and a sign before it."""

    def condition(sign: str, number: int) -> Condition:
        compare = {**COMPARE, "=": operator.eq, "!=": operator.ne}[sign]
        return (
            f"{field} {sign} {number}",
            lambda payload: compare(payload[field], number) if payload.get(field) is not None else sign == "!=",
        )

    return st.builds(condition, st.sampled_from([*COMPARE, "=", "!="]), st.sampled_from(drawn.NUMBERS))


def measures(field: str) -> st.SearchStrategy[Condition]:
    """A measured number, perhaps as a fraction; = is within one per cent."""

    def condition(sign: str, text: str) -> Condition:
        number = eval(text)  # one of our own texts
        if sign == "=":
            return (
                f"{field}={text}",
                lambda payload: payload.get(field) is not None and number * 0.99 <= payload[field] < number * 1.01,
            )
        return (
            f"{field}{sign}{text}",
            lambda payload: payload.get(field) is not None and COMPARE[sign](payload[field], number),
        )

    values = st.sampled_from(["1/250", "0.004", "1.8", "2.8", "200", "50"])
    return st.builds(condition, st.sampled_from([*COMPARE, "="]), values)


def times() -> st.SearchStrategy[Condition]:
    """A year, a month, a day or a minute by the clock of the camera."""

    def condition(sign: str, text: str) -> Condition:
        same = len(text)

        def means(payload: Payload) -> bool:
            there = payload.get("taken_local") or payload.get("taken_at")
            if there is None:
                return False
            moment = datetime.fromisoformat(there)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            # As texts of the same length in the same zone, times compare like numbers.
            there = moment.astimezone(UTC).isoformat()[:same]
            return {**COMPARE, "=": operator.eq}[sign](there, text)

        return f"taken{sign}{text}", means

    values = st.sampled_from(["2023", "2024", "2023-12", "2024-01", "2024-05-31", "2024-01-01", "2024-05-31T14:00"])
    return st.builds(condition, st.sampled_from([*COMPARE, "="]), values)


def words(field: str) -> st.SearchStrategy[Condition]:
    """Words, all of which must be there; those of scripts without spaces in any other."""

    def tokens(text: str) -> set[str]:
        return set(re.findall(r"\w+", seen(text)))

    def is_in(word: str, text: str) -> bool:
        return word in tokens(text) or (word[0] > "\u0e00" and word in seen(text))

    def condition(text: str, sign: str) -> Condition:
        def means(payload: Payload) -> bool:
            return (field in payload and all(is_in(word, payload[field]) for word in tokens(text))) == (sign == ":")

        return f'{field}{sign}"{text}"', means

    return st.builds(condition, drawn.sentences().filter(bool), st.sampled_from([":", "!="]))


def folders() -> st.SearchStrategy[Condition]:
    """A folder and all that is below it."""

    def condition(folder: str, slash: str) -> Condition:
        return f"root={folder}{slash}", lambda payload: (payload["folder"] + "/").startswith(folder + "/")

    return st.builds(condition, st.sampled_from([*drawn.FOLDERS, "/p"]), st.sampled_from(["", "/"]))


def names() -> st.SearchStrategy[Condition]:
    """The name of a file, or how it begins."""

    def one_form(name: str) -> str:
        return unicodedata.normalize("NFC", name)

    exact = st.sampled_from(["IMG_1.jpg", "img_1.jpg", "nothing", "é.jpg", "e\u0301.jpg"]).map(
        lambda name: (f"name={name}", lambda payload: one_form(payload["name"]) == one_form(name))
    )
    start = st.sampled_from(["IMG_1", "I", "a", "é"]).map(
        lambda begin: (f"name={begin}*", lambda payload: one_form(payload["name"]).startswith(begin))
    )
    return exact | start


def kilometres(one: dict[str, float], other: tuple[float, float]) -> float:
    """The way over a sphere of the Earth's mean radius, by the haversine formula."""
    lat, lon, there, far = map(math.radians, (one["lat"], one["lon"], *other))
    root = math.sin((there - lat) / 2) ** 2 + math.cos(lat) * math.cos(there) * math.sin((far - lon) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(root))


def places() -> st.SearchStrategy[Condition]:
    """A circle around a place; none of the radii ends where a picture was taken."""

    def condition(place: tuple[float, float], km: float) -> Condition:
        return (
            f"near:{place[0]},{place[1]},{km}",
            lambda payload: payload.get("gps") is not None and kilometres(payload["gps"], place) <= km,
        )

    return st.builds(condition, st.sampled_from(drawn.PLACES), st.sampled_from([1, 5, 12, 20_100]))


def facts() -> st.SearchStrategy[Condition]:
    """A field that has a value; an empty list is none."""

    def condition(name: str, field: str, sign: str) -> Condition:
        return f"has{sign}{name}", lambda payload: (payload.get(field) not in (None, [])) == (sign == ":")

    fields = [("near", "gps"), ("taken", "taken_at"), ("camera", "camera"), ("keywords", "keywords"), ("iso", "iso")]
    return st.builds(
        lambda pair, sign: condition(pair[0], pair[1], sign), st.sampled_from(fields), st.sampled_from([":", "!="])
    )


CONDITIONS = st.one_of(
    texts("camera", drawn.CAMERAS),
    texts("lens", drawn.LENSES),
    texts("format", drawn.FORMATS),
    texts("keywords", drawn.KEYWORDS),
    texts("label", drawn.LABELS),
    *(numbers(field) for field in ("width", "height", "bytes", "iso", "rating")),
    *(measures(field) for field in ("aperture", "exposure", "focal_length")),
    *(words(field) for field in ("caption", "title", "description")),
    times(),
    folders(),
    names(),
    places(),
    facts(),
)
