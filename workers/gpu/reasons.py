"""What decoders raise over damaged data, as sentences that a person understands."""

import re

from workers.gpu.signature import RAW_KINDS, ends_early

NO_PICTURE = "its content is not a picture format that Darkroom reads"
CUT_OFF = "the picture is cut off: its data end too early"

_ENDS = (
    "truncated",
    "end of file",
    "not enough",
    "expected to read",
    "unpack requires",
    "not large enough",
    "input/output error",
)
_UNSUPPORTED = re.compile(r"(?:unsupported|not supported|unknown|unimplemented)\b[\w\s.,()'-]{0,80}", re.IGNORECASE)


def reason_of(error: BaseException, data: bytes, form: str | None) -> str:
    """Why these bytes, which begin like `form`, could not be decoded; `error` is what the decoder raised."""
    text = str(error).strip().lower()
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    if form is None:
        return NO_PICTURE
    if "max_text" in text or "decompressed data too large" in text:
        return "a text or a colour profile inside it unpacks to more bytes than is safe"
    if isinstance(error, EOFError) or any(words in text for words in _ENDS) or ends_early(data, form):
        return CUT_OFF
    if form in RAW_KINDS:
        unknown = type(error).__name__ == "LibRawFileUnsupportedError"
        return f"its {form} data are damaged{', or from a camera that LibRaw does not know' if unknown else ''}"
    named = _UNSUPPORTED.search(str(error))
    if named and not isinstance(error, KeyError | AttributeError | TypeError | NameError):
        return f"its {form} data are damaged or of an uncommon kind: {named.group().strip(' .,')}"
    return f"its {form} data are damaged"
