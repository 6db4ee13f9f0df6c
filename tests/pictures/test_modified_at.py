"""When a file was modified, as text beside the number."""

import pytest

from pictures.picture import with_modified_at


@pytest.mark.parametrize(
    ("mtime", "text"),
    [
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20Z"),
        (-(2**63), "1677-09-21T00:12:43Z"),
        (2**63 - 1, "2262-04-11T23:47:16Z"),
        (-1, None),
        (2**80, None),
    ],
)
def test_the_number_stays_and_its_text_stands_beside_it(mtime: int, text: str | None) -> None:
    assert with_modified_at({"mtime": mtime, "name": "a"}) == {"mtime": mtime, "name": "a", "modified_at": text}


def test_what_has_no_time_gets_none() -> None:
    assert with_modified_at({"name": "a"}) == {"name": "a"}
