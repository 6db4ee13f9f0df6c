"""When a picture was taken: by what says it best, and only where that is a day that can be."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from PIL import ExifTags

from pictures.facts.exif import Tags
from pictures.facts.iptc import DATE, TIME, Iptc
from pictures.facts.xmp import Xmp

_BASE = ExifTags.Base
# The oldest photograph that is left was begun in 1826.
FIRST_YEAR = 1826
# What cameras and programs write that know no time: the zero of their clock, and where their clock begins.
_UNSET = {"1904-01-01T00:00:00", "1970-01-01T00:00:00", "2002-12-08T12:00:00"}

_DAY = r"(\d{4})(?:[:/.-](\d{1,2})(?:[:/.-](\d{1,2})"
_CLOCK = r"(?:(?:T| +)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d*)?)?\s*(Z|[+-]\d{2}:?\d{2})?)?)?)?"
_FORM = re.compile(_DAY + _CLOCK, re.ASCII)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
# As RFC 1123 has it, which the standard of PNG advises.
_LETTER_FORM = re.compile(
    rf"(?:\w{{3}},? )?(\d{{1,2}}) ({'|'.join(_MONTHS)}) (\d{{4}}) "
    r"(\d{2}:\d{2}:\d{2})(?: (GMT|UTC?|[+-]\d{4}))?",
    re.ASCII,
)


@dataclass(frozen=True)
class Moment:
    """A time by the clock of the camera, as exact as it is known: a year, a month, a day or a second; and its zone."""

    local: str
    zone: str = ""

    def facts(self) -> dict[str, str]:
        """taken_at, and taken_local where a calendar cannot be asked by taken_at itself."""
        facts = {"taken_at": self.local + self.zone}
        if len(self.local) < len("2024-05-31"):
            facts["taken_local"] = f"{self.local}-01-01"[:10]
        elif self.zone:
            facts["taken_local"] = self.local
        return facts


def moment(text: str, zone: str = "") -> Moment | None:
    """The time in a text, whose zone may stand elsewhere; None for what is no time or cannot be when it was taken."""
    form = _FORM.fullmatch(text.strip(" :\0\n"))
    if form is None:
        return None
    year, month, day = (int(part or 0) for part in form.groups()[:3])
    # Zeros say that a part is not known. A second of 60 is the last of its minute, when a second is put in.
    known = 1 + bool(month) + bool(month and day)
    hour, minute, second = (int(part or 0) for part in form.groups()[3:6])
    try:
        at = datetime(year, month or 1, day if month and day else 1, hour, minute, 59 if second == 60 else second)
    except ValueError:
        return None
    if year < FIRST_YEAR or at > datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1):
        return None
    if known < 3 or form[4] is None:
        return Moment(at.isoformat()[: (4, 7, 10)[known - 1]])
    local = at.isoformat()
    return None if local in _UNSET else Moment(local, _zone(local, form[7] or zone))


def taken(tags: Tags, xmp: Xmp, sidecar: Xmp, iptc: Iptc, texts: dict[str, str]) -> Moment | None:
    """The first time that can be, in the order of exiftool, digiKam and Lightroom, after what a sidecar says."""
    original = _of_exif(tags, _BASE.DateTimeOriginal, _BASE.OffsetTimeOriginal)
    beside = next(_originals(sidecar), None)
    if beside is not None and not (original is not None and _is_rounded(beside, original)):
        return beside
    return original or next(_others(tags, xmp, sidecar, iptc, texts), None)


def _is_rounded(rough: Moment, exact: Moment) -> bool:
    """True for two that say the same, the second one as exactly or more so."""
    return exact.local.startswith(rough.local) and len(exact.zone) >= len(rough.zone)


def _others(tags: Tags, xmp: Xmp, sidecar: Xmp, iptc: Iptc, texts: dict[str, str]) -> Iterator[Moment]:
    yield from _originals(xmp)
    candidates = (
        _of_iptc(iptc),
        _of_exif(tags, _BASE.DateTimeDigitized, _BASE.OffsetTimeDigitized),
        *(moment(xmp.text(name)) for name in ("exif:DateTimeDigitized", "xmp:CreateDate")),
        moment(sidecar.text("xmp:CreateDate")),
        _of_letter(texts.get("Creation Time", "")),
        _of_exif(tags, _BASE.DateTime, _BASE.OffsetTime),
    )
    yield from (candidate for candidate in candidates if candidate is not None)


def _originals(xmp: Xmp) -> Iterator[Moment]:
    """When it was taken, as XMP says it; not when a file was made of it."""
    for name in ("exif:DateTimeOriginal", "photoshop:DateCreated"):
        if (found := moment(xmp.text(name))) is not None:
            yield found


def _of_exif(tags: Tags, time: int, zone: int) -> Moment | None:
    return moment(tags.text(time), tags.text(zone))


def _of_iptc(iptc: Iptc) -> Moment | None:
    date = re.sub(r"^(\d{4})(\d{2})(\d{2})$", r"\1-\2-\3", iptc.text(DATE))
    time = re.sub(r"^(\d{2})(\d{2})(\d{2})", r"\1:\2:\3", iptc.text(TIME))
    return moment(f"{date} {time}") or moment(date)


def _of_letter(text: str) -> Moment | None:
    form = _LETTER_FORM.fullmatch(" ".join(text.split()))
    if form is None:
        return moment(text)
    day, month, year, time, zone = form.groups()
    return moment(f"{year}-{_MONTHS.index(month) + 1}-{day} {time}", re.sub("^(GMT|UTC?)$", "Z", zone or ""))


def _zone(local: str, zone: str) -> str:
    """The zone as ISO 8601 has it, "" for one that cannot be."""
    form = re.fullmatch(r"([+-]\d{2}):?(\d{2})", "+00:00" if zone.strip().upper() == "Z" else zone.strip(), re.ASCII)
    if form is not None and int(form[2]) < 60 and abs(int(form[1])) <= 14:
        with suppress(ValueError):
            return datetime.fromisoformat(f"{local}{form[1]}:{form[2]}").isoformat()[len(local) :]
    return ""
