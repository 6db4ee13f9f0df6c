"""What is embedded or captioned is checked before any worker hears of it."""

from typing import cast

import pytest

from producer.collection.inference import MOST_ITEMS, caption, embed
from producer.stack import Stack
from settings.errors import WrongUse

NOBODY = cast(Stack, None)


@pytest.mark.parametrize(
    ("texts", "images", "sentence"),
    [
        (None, None, "Say exactly one of texts, images."),
        (["a"], [b"b"], "Say exactly one of texts, images."),
        ([], None, "texts: a call takes from 1 to 256, not 0."),
        (None, [], "images: a call takes from 1 to 256, not 0."),
        (None, (MOST_ITEMS + 1) * [b""], "images: a call takes from 1 to 256, not 257."),
    ],
)
def test_a_call_that_cannot_be_answered_is_refused(
    texts: list[str] | None, images: list[bytes] | None, sentence: str
) -> None:
    with pytest.raises(WrongUse) as refused:
        embed(texts, images, NOBODY)
    assert str(refused.value) == sentence


def test_no_picture_has_no_caption() -> None:
    with pytest.raises(WrongUse, match=r"^images: a call takes from 1 to 256, not 0\.$"):
        caption([], NOBODY)
