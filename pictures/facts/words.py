"""What people wrote about a picture: title, description, keywords, rating and label."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from PIL import ExifTags

from pictures.facts.exif import Tags, text_of, utf16_text
from pictures.facts.iptc import CAPTION, KEYWORDS, TITLE, Iptc
from pictures.facts.text import line
from pictures.facts.xmp import Xmp

MAX_TITLE, MAX_DESCRIPTION, MAX_KEYWORD, MAX_KEYWORDS, MAX_LABEL = 300, 3000, 100, 200, 100

_BASE = ExifTags.Base
_RATING, _RATING_PERCENT = 0x4746, 0x4749
_XP_TITLE, _XP_COMMENT, _XP_KEYWORDS, _XP_SUBJECT = 0x9C9B, 0x9C9C, 0x9C9E, 0x9C9F
# The colours of darktable, in its order.
_COLOURS = ("Red", "Yellow", "Green", "Blue", "Purple")

# Cameras fill the field of the description with words of their own. A text with no other words is one of those.
_CAMERA_WORDS = {
    *("digital", "still", "stillcamera", "digitalcamera", "camera", "dsc", "dcim", "exif", "jpeg", "jpg"),
    *("picture", "image", "photo", "default", "untitled", "olympus", "minolta", "konica", "kodak", "sony"),
    *("samsung", "pentax", "casio", "nikon", "canon", "fujifilm", "fuji", "panasonic", "sanyo", "ricoh"),
    *("hp", "toshiba", "polaroid", "agfa", "agfaphoto", "epson", "benq", "vivitar", "mustek", "medion"),
    *("traveler", "aiptek", "ge", "leica", "jenoptik", "rollei", "sigma", "sharp", "praktica", "yakumo"),
    *("kyocera", "motorola", "nokia", "htc", "lg", "huawei", "xiaomi", "kenox", "digimax", "techwin"),
}
# The version of its program, which a drone writes as a comment and as a keyword.
_VERSION = r"v?\d+(?:\.\d+){2,}"
_CAMERA_TEXT = re.compile(
    # The path on the card, as DJI writes it; the model, as Samsung does; the mode of the camera, as Huawei does.
    r"DCIM\\.*|<(?:kenox|digimax|samsung|vluu)\b.*"
    r"|(?:dav|r?hdr|hdrpl|sdr|mde|cof|edf|ozedf|oznor|oznorwb|bty|fptbty|btf|btr|ptr|qrf)(?:_\w+)?"
    rf"|{_VERSION}|My beautiful picture|LEAD Technologies.*|ACD Systems Digital Imaging|binary comment",
    re.IGNORECASE,
)
# In XMP and IPTC, where people write, only what no person would have written.
_COPIED = {
    *("OLYMPUS DIGITAL CAMERA", "SONY DSC", "MINOLTA DIGITAL CAMERA", "KONICA MINOLTA DIGITAL CAMERA", "DCIM"),
    *("KODAK Digital Still Camera", "KODAK DIGITAL STILL CAMERA", "PENTAX DIGITAL CAMERA", "SAMSUNG DIGITAL CAMERA"),
    *("CASIO COMPUTER CO.,LTD", "Digital StillCamera", "SAMSUNG", "default"),
}


def word_facts(tags: Tags, packets: Sequence[Xmp], iptc: Iptc, texts: dict[str, str]) -> dict[str, Any]:
    """title, description, keywords, rating and label; of each field the first source that has it.

    `packets` are the XMP of the sidecar, if there is one, and that of the file.
    """
    return {
        "title": _first(
            [
                *(packet.text("dc:title") for packet in packets),
                iptc.text(TITLE),
                utf16_text(tags.get(_XP_TITLE)),
                texts.get("Title", ""),
            ],
            MAX_TITLE,
        ),
        "description": _first(
            [
                *(_unless_copied(packet.text("dc:description")) for packet in packets),
                _unless_copied(iptc.text(CAPTION)),
                _unless_of_camera(text_of(tags.get(_BASE.ImageDescription))),
                *(_unless_of_camera(utf16_text(tags.get(tag))) for tag in (_XP_COMMENT, _XP_SUBJECT)),
                texts.get("Description", ""),
            ],
            MAX_DESCRIPTION,
        ),
        "keywords": _keywords(
            [
                *(_keywords_of(packet) for packet in packets),
                iptc.texts(KEYWORDS),
                [
                    text
                    for text in utf16_text(tags.get(_XP_KEYWORDS)).split(";")
                    if not re.fullmatch(_VERSION, text.strip())
                ],
            ]
        ),
        "rating": _rating(tags, packets),
        "label": _first([_label(packet) for packet in packets], MAX_LABEL),
    }


def _first(texts: Iterable[str], max_length: int) -> str:
    return next((found for text in texts if (found := line(text, max_length))), "")


def _unless_copied(text: str) -> str:
    return "" if text.strip() in _COPIED else text


def _unless_of_camera(text: str) -> str:
    plain = line(text, MAX_DESCRIPTION)
    is_of_camera = _CAMERA_TEXT.fullmatch(plain) or set(re.findall(r"[^\W_]+", plain.lower())) <= _CAMERA_WORDS
    return "" if is_of_camera else text


def _keywords_of(packet: Xmp) -> list[str]:
    """The keywords, and of those that stand below others the last part: Places|Europe|Paris is Paris."""
    leaves = [text.rpartition("|")[2] for text in packet.texts("lr:hierarchicalSubject")]
    return [*packet.texts("dc:subject"), *leaves]


def _keywords(sources: Iterable[Iterable[str]]) -> list[str]:
    for source in sources:
        if unique := dict.fromkeys(found for text in source if (found := line(text, MAX_KEYWORD))):
            return list(unique)[:MAX_KEYWORDS]
    return []


def _label(packet: Xmp) -> str:
    """The label of a colour: its name, which darktable writes as a number."""
    numbers = [text for text in packet.texts("darktable:colorlabels") if text in ("0", "1", "2", "3", "4")]
    return packet.text("xmp:Label") or (_COLOURS[int(numbers[0])] if numbers else "")


def _rating(tags: Tags, packets: Sequence[Xmp]) -> int | None:
    """The stars, 1 to 5, or -1 for a rejected picture; None for a picture that nobody has rated."""
    sources: list[tuple[Any, Callable[[float], float]]] = [
        (text, rating)
        for packet in packets
        for text, rating in ((packet.text("xmp:Rating"), float), (packet.text("MicrosoftPhoto:Rating"), _stars))
    ]
    sources += [(tags.get(_RATING), float), (tags.get(_RATING_PERCENT), _stars)]
    for value, rating in sources:
        try:
            stars = rating(float(value))
        except (TypeError, ValueError):
            continue
        if stars in (-1, 0, 1, 2, 3, 4, 5):
            # The first one that says anything: no stars in a sidecar are no stars.
            return int(stars) or None
    return None


def _stars(percent: float) -> float:
    """Windows writes 1, 25, 50, 75 and 99 for one to five stars."""
    return round(percent / 25) + 1 if 0 < percent <= 100 else 0
