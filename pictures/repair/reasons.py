"""Why a picture could not be decoded, as a sentence: a decoder's error and the bytes tell it together."""

import re

from PIL import UnidentifiedImageError

from pictures.formats import RAW_KINDS
from pictures.repair import png
from pictures.signature import CUT_OFF, ends_early

NO_PICTURE = "its content is not a picture format that Darkroom reads"

_CUT_OFF_MESSAGES = (
    "truncated",
    "end of file",
    "not enough",
    "expected to read",
    "unpack requires",
    "not large enough",
    "input/output error",
)
_UNSUPPORTED = re.compile(
    r"(?:unsupported|not supported|unknown|unimplemented|not been built in)\b[\w\s.,()'-]{0,80}", re.IGNORECASE
)


def reason_of(error: BaseException, data: bytes, format_name: str | None) -> str:
    """Why these bytes with the signature of `format_name` could not be decoded; `error` is the decoder's error."""
    text = str(error).strip().lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if format_name is None:
        return NO_PICTURE
    if "max_text" in text or "decompressed data too large" in text:
        return "a text or a colour profile inside it unpacks to more bytes than is safe"
    if isinstance(error, EOFError) or ends_early(data, format_name):
        return CUT_OFF
    if format_name in RAW_KINDS:
        if any(words in text for words in _CUT_OFF_MESSAGES):
            return CUT_OFF
        is_unknown = type(error).__name__ == "LibRawFileUnsupportedError"
        return (
            f"its {format_name} data are damaged{', or from a camera that LibRaw does not know' if is_unknown else ''}"
        )
    if isinstance(error, UnidentifiedImageError):
        if format_name == "PNG" and not png.has_sound_header(data):
            return "its PNG data are damaged"
        return f"it is a kind of {format_name} that Darkroom does not read"
    unsupported = _UNSUPPORTED.search(str(error))
    if unsupported and not isinstance(error, KeyError | AttributeError | TypeError | NameError):
        return f"it is a kind of {format_name} that Darkroom does not read: {unsupported.group().strip(' .,')}"
    if any(words in text for words in _CUT_OFF_MESSAGES):
        return CUT_OFF
    return f"its {format_name} data are damaged"
