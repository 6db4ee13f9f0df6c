"""Times as a person writes them: 2024, 2024-05, 2024-05-31 or 2024-05-31T14:00 name a stretch of time each."""

import re
from datetime import UTC, datetime, timedelta

_DATE = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_MINUTES = re.compile(r".*[T ]\d{2}:\d{2}(?:Z|[+-].*)?", re.IGNORECASE)


def span(text: str) -> tuple[str, str]:
    """The beginning of the time that is meant, and its end, which is no more part of it; ISO 8601.

    Raises ValueError with what is wrong. Without a zone it is UTC, as the times without a zone in the collection are.
    """
    date = _DATE.fullmatch(text)
    try:
        if date:
            year, month, day = (int(part) if part else None for part in date.groups())
            assert year is not None
            begin = datetime(year, month or 1, day or 1, tzinfo=UTC)
            if day:
                end = begin + timedelta(days=1)
            elif month:
                end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC)
            else:
                end = datetime(year + 1, 1, 1, tzinfo=UTC)
        else:
            begin = datetime.fromisoformat(text)
            begin = begin if begin.tzinfo else begin.replace(tzinfo=UTC)
            if _MINUTES.fullmatch(text):
                end = begin + timedelta(minutes=1)
            else:
                end = begin + timedelta(microseconds=1 if begin.microsecond else 1_000_000)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no date: write 2024, 2024-05, 2024-05-31 or 2024-05-31T14:00") from None
    return begin.isoformat(), end.isoformat()
