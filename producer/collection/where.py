"""Reads conditions as a person writes them, `camera=Canon*` or `taken>=2024-06`, into the filter of a question.

Times name a stretch each: 2024, 2024-05, 2024-05-31 or 2024-05-31T14:00.
"""

import difflib
import math
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pictures.uris import REMOTE, member, uri_of
from producer.collection.where_fields import ALSO, FIELDS, NAMES_OF_FILES, ORDERED, Field, Kind
from producer.formatting import require_text
from producer.ingest.sources.named_folder import absolute
from producer.ingest.sources.roots import address_of
from settings.errors import WrongUse

_FORM = re.compile(r"\s*(\w*)\s*(>=|<=|!=|==|!:|=|:|>|<)\s*(.*?)\s*", re.DOTALL)
_QUOTES = "\"'\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
_MULTIPLES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_CLOSE = 0.01


def parse_conditions(texts: str | Sequence[str]) -> dict[str, Any] | None:
    """The filter that asks for this condition, or for all of these; None where there are none.

    Raises WrongUse with the part that is wrong and what it may be.
    """
    where: dict[str, list[dict[str, Any]]] = {}
    for key, condition in map(_condition, [texts] if isinstance(texts, str) else texts):
        where.setdefault(key, []).append(condition)
    return where or None


def _condition(text: str) -> tuple[str, dict[str, Any]]:
    """One condition, and whether it must hold ("all") or must not ("none")."""
    form = _FORM.fullmatch(text)
    if not form:
        raise WrongUse(
            f"{text!r} is no condition: write a field, a sign and a value, like {FIELDS['camera'].example} or "
            f"{FIELDS['taken'].example}; {_fields()}."
        )
    name, sign, value = form.groups()
    name = ALSO.get(name.lower(), name.lower())
    if name not in FIELDS:
        raise WrongUse(f"{text!r}: there is no field {name!r}{_meant(name, [*FIELDS, *ALSO])}; {_fields()}.")
    if len(value) > 1 and value[0] in _QUOTES and value[-1] in _QUOTES:
        value = value[1:-1]
    field = FIELDS[name]
    if not value.strip():
        raise WrongUse(f"{text!r} has no value: write it like {field.example}.")
    sign = {":": "=", "==": "=", "!:": "!="}.get(sign, sign)
    if sign not in ("=", "!=") and field.kind not in ORDERED:
        raise WrongUse(f"{text!r}: {name} takes = or != and not {sign}: it is {field.kind.value}.")
    try:
        if field.kind not in NAMES_OF_FILES:
            require_text(value)
        condition = _READERS[field.kind](field, sign, value)
    except ValueError as error:
        reason = str(error) or f"{value!r} will not do"
        raise WrongUse(f"{text!r}: {reason}; {name} takes {field.kind.value}, like {field.example}.") from None
    return ("none" if sign == "!=" else "all"), condition


def _meant(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""


def _fields() -> str:
    return f"the fields are {', '.join(FIELDS)}"


def _text(field: Field, sign: str, value: str) -> dict[str, Any]:
    patterns = [pattern.strip() for pattern in value.split("|") if pattern.strip()]
    if field.payload == "format":
        patterns = [{"jpg": "jpeg", "tif": "tiff", "heic": "heif"}.get(each.lower(), each) for each in patterns]
    return {"field": field.payload, "like": patterns}


def _file_name(field: Field, sign: str, value: str) -> dict[str, Any]:
    # As the names in the collection: bytes that are no text are told from no other such bytes.
    start = os.fsencode(value).decode(errors="replace").rstrip("*")
    if "*" in start or not start:
        raise ValueError("a * can stand at the end only")
    return {"field": field.payload, "prefix" if value.endswith("*") else "is": start}


def _folder(field: Field, sign: str, value: str) -> dict[str, Any]:
    if "://" in value:
        address = address_of(value) if value.partition("://")[0] in REMOTE else value
    else:
        path = absolute(Path(value))
        if not (path.exists() or os.path.isabs(os.path.expanduser(value))):
            raise ValueError(f"there is no {path}, and only a folder that is gone may be named, from / on")
        if path.is_file() and path.suffix.lower() != ".zip":
            return {"field": field.payload, "is": uri_of(bytes(path))}
        address = uri_of(bytes(path))
        if path.is_dir():
            return {"field": field.payload, "prefix": uri_of(os.fsencode(os.path.join(path, "")))}
        # Names of folders are kept byte for byte, and a keyboard gives accents in another form than some disks do.
        ways = dict.fromkeys([str(path), *(unicodedata.normalize(form, str(path)) for form in ("NFC", "NFD"))])
        if len(ways) > 1 and path.suffix.lower() != ".zip":
            return {"field": field.payload, "prefix": [f"{uri_of(os.fsencode(way)).rstrip('/')}/" for way in ways]}
    if address.lower().endswith(".zip"):
        # Pictures in an archive have its address at the end of theirs.
        return {"field": "root", "is": member(address, "")}
    return {"field": field.payload, "prefix": f"{address.rstrip('/')}/"}


def _sha256(field: Field, sign: str, value: str) -> dict[str, Any]:
    if not re.fullmatch(r"[0-9a-f]{64}", value.lower()):
        raise ValueError(f"{value!r} is no SHA-256, which has 64 hexadecimal digits")
    return {"field": field.payload, "is": value.lower()}


def _words(field: Field, sign: str, value: str) -> dict[str, Any]:
    if not re.search(r"[^\W_]", value):
        raise ValueError(f"{value!r} has no word")
    return {"field": field.payload, "text": value}


def _whole(field: Field, sign: str, value: str) -> dict[str, Any]:
    number = int(_number(value, r"-?\d{1,15}"))
    return _range(field, sign, number, number + 1)


def _bytes(field: Field, sign: str, value: str) -> dict[str, Any]:
    form = re.fullmatch(r"(\d{1,12}(?:\.\d+)?)\s*([kmg]?)(i?)b?", value, re.IGNORECASE)
    if not form:
        raise ValueError(f"{value!r} is no number of bytes")
    unit = _MULTIPLES[form[2].lower()]
    if form[3]:
        unit = 1024 ** round(math.log10(unit) / 3)
    number = round(float(form[1]) * unit)
    return _range(field, sign, number, number + 1)


def _measure(field: Field, sign: str, value: str) -> dict[str, Any]:
    above, _, below = value.lower().removeprefix("f/").removesuffix("mm").removesuffix("s").strip().partition("/")
    number = float(_number(above, r"\d{1,15}(\.\d+)?")) / float(_number(below or "1", r"0*[1-9]\d{0,14}(\.\d+)?"))
    if sign in ("=", "!="):
        # What a camera notes as 1/60 s or f/2.8 is seldom exactly that number.
        return _range(field, sign, number * (1 - _CLOSE), number * (1 + _CLOSE))
    return _range(field, sign, number, math.nextafter(number, math.inf))


def _number(text: str, form: str) -> str:
    if not re.fullmatch(form, text.strip()):
        raise ValueError(f"{text!r} is no number")
    return text.strip()


def _time(field: Field, sign: str, value: str) -> dict[str, Any]:
    start, end = span(value)
    if datetime.fromisoformat(start).tzinfo is None:
        # A calendar: the day that the camera had, wherever it was.
        return _range(replace(field, payload="taken_local"), sign, start, end)
    return _range(field, sign, start, end)


def _range(field: Field, sign: str, start: Any, end: Any) -> dict[str, Any]:
    """What lies before, in or after the values from `start` to before `end`."""
    bounds = {
        "=": {"from": start, "to": end},
        "!=": {"from": start, "to": end},
        ">=": {"from": start},
        ">": {"from": end},
        "<": {"to": start},
        "<=": {"to": end},
    }
    return {"field": field.payload, **bounds[sign]}


def _place(field: Field, sign: str, value: str) -> dict[str, Any]:
    parts = value.lower().removesuffix("km").split(",")
    if len(parts) != 3:
        raise ValueError(f"{value!r} has {len(parts)} of three numbers")
    lat, lon, km = (float(_number(part, r"[+-]?\d{1,15}(\.\d+)?")) for part in parts)
    if not (abs(lat) <= 90 and abs(lon) <= 180 and km > 0):
        raise ValueError("a latitude is -90 to 90, a longitude -180 to 180, a distance more than 0")
    return {"field": field.payload, "near": [lat, lon, km]}


def _fact(field: Field, sign: str, value: str) -> dict[str, Any]:
    name = ALSO.get(value.lower(), value.lower())
    if name not in FIELDS or not FIELDS[name].payload:
        raise ValueError(f"there is no field {value!r}{_meant(name, list(FIELDS))}")
    return {"field": FIELDS[name].payload, "exists": True}


def _flag(field: Field, sign: str, value: str) -> dict[str, Any]:
    if value.lower() not in ("true", "false", "yes", "no"):
        raise ValueError(f"{value!r} is neither")
    # A flag is stored where it is true, and nowhere else.
    return {"field": field.payload, "exists": value.lower() in ("true", "yes")}


_READERS: dict[Kind, Callable[[Field, str, str], dict[str, Any]]] = {
    Kind.TEXT: _text,
    Kind.FILE_NAME: _file_name,
    Kind.FOLDER: _folder,
    Kind.EXACT: _sha256,
    Kind.WORDS: _words,
    Kind.WHOLE: _whole,
    Kind.BYTES: _bytes,
    Kind.MEASURE: _measure,
    Kind.TIME: _time,
    Kind.PLACE: _place,
    Kind.FLAG: _flag,
    Kind.FACT: _fact,
}


_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_MINUTES = re.compile(r".*[T ]\d{2}:\d{2}(?:Z|[+-].*)?", re.IGNORECASE)


def span(text: str) -> tuple[str, str]:
    """The beginning of the time that is meant, and its end, which is no more part of it; ISO 8601.

    Raises ValueError with what is wrong. Without a zone it is a time by the clock of the camera.
    """
    date = _DATE.fullmatch(text)
    try:
        if date:
            year, month, day = (int(part) if part else None for part in date.groups())
            assert year is not None
            begin = datetime(year, month or 1, day or 1)
            if day:
                end = begin + timedelta(days=1)
            elif month:
                end = datetime(year + month // 12, month % 12 + 1, 1)
            else:
                end = datetime(year + 1, 1, 1)
        else:
            begin = datetime.fromisoformat(text)
            if _MINUTES.fullmatch(text):
                end = begin + timedelta(minutes=1)
            else:
                end = begin + timedelta(microseconds=1 if begin.microsecond else 1_000_000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date: write 2024, 2024-05, 2024-05-31 or 2024-05-31T14:00") from None
    return begin.isoformat(), end.isoformat()
