"""Text that is safe to show: what came out of a file must not steer a terminal, nor be a formula in a spreadsheet."""

import re

# Control characters (C0, DEL, C1), what turns the direction of the text around it, ends of lines and halves of letters.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
# What makes Excel, LibreOffice and Google Sheets take a cell for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str, instead: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """The text in one line, with `instead` for every character that could steer a terminal."""
    return _UNSAFE.sub(instead, text)


def printable_lines(text: str) -> str:
    """The same for a text of several lines and fields: their ends and the tabs between them stay."""
    return "".join(part if part in "\n\t" else printable(part) for part in re.split("([\n\t])", text))


def printable_json(text: str) -> str:
    """The same JSON, in which these characters are escaped, so that nothing of the data is lost."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def csv_cell(value: object) -> object:
    """A value as a cell of a CSV file: a text that a spreadsheet would take for a formula gets a ' before it."""
    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(_FORMULA) else value)
