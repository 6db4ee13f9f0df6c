"""What other programs send: read strictly, and refused in one sentence."""

import base64
from typing import Any

import pytest

from settings.errors import WrongUse
from workers.http_tasks.requests import MAX_ITEMS, CaptionRequest, EmbedRequest, IngestRequest, Request, SearchRequest

DATA = bytes(range(256))


def test_a_picture_in_base64_arrives_as_its_bytes() -> None:
    asked = EmbedRequest.of({"images": [base64.b64encode(DATA).decode()]})
    assert asked.images == [DATA]
    assert asked.encoding == "base64"


def test_a_data_url_and_broken_lines_are_read_as_well() -> None:
    lines = base64.encodebytes(DATA).decode()
    assert "\n" in lines.strip()
    asked = CaptionRequest.of({"images": [f"data:image/png;base64,{lines}"]})
    assert asked.images == [DATA]


@pytest.mark.parametrize(
    ("kind", "fields", "sentence"),
    [
        (EmbedRequest, {}, "Say exactly one of texts, images, uris."),
        (EmbedRequest, {"texts": ["a"], "uris": ["file:///a"]}, "Say exactly one of texts, images, uris."),
        (EmbedRequest, {"text": "a"}, "text is unknown: there are texts, images, uris, encoding."),
        (EmbedRequest, {"texts": "a"}, "texts: input should be a valid list."),
        (EmbedRequest, {"texts": []}, "texts: list should have at least 1 item after validation, not 0."),
        (EmbedRequest, {"texts": [1]}, "texts.0: input should be a valid string."),
        (EmbedRequest, {"texts": ["a"], "encoding": "hex"}, "encoding: input should be 'base64' or 'list'."),
        (EmbedRequest, {"images": ["no base64!"]}, "images.0: is not base64."),
        (EmbedRequest, {"images": [7]}, "images.0: is not base64."),
        (CaptionRequest, {"texts": ["a"]}, "texts is unknown: there are images, uris."),
        (SearchRequest, {"text": "a", "limit": 0}, "limit: input should be greater than or equal to 1."),
        (SearchRequest, {"text": "a", "limit": True}, "limit: input should be a valid integer."),
        (SearchRequest, {"text": "", "limit": 3}, "text: string should have at least 1 character."),
        (SearchRequest, {"limit": 3}, "Say exactly one of text, image, uri."),
        (IngestRequest, {"directory": "photos"}, r"directory: string should match pattern '^/[^\x00]*$'."),
        (IngestRequest, {}, "directory: field required."),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(kind: type[Request], fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(WrongUse) as refused:
        kind.of(fields)
    assert str(refused.value) == sentence


def test_too_many_at_once_are_refused() -> None:
    with pytest.raises(WrongUse, match=rf"^texts: list should have at most {MAX_ITEMS} items"):
        EmbedRequest.of({"texts": ["a"] * (MAX_ITEMS + 1)})


def test_a_refusal_never_repeats_a_whole_picture() -> None:
    with pytest.raises(WrongUse) as refused:
        CaptionRequest.of({"images": ["!" * 10_000]})
    assert len(str(refused.value)) < 100
