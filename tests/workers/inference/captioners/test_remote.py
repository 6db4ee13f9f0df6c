"""Captions by a service behind a URL: what it is sent, how often it is tried, and what people are told."""

import threading
from typing import Any

import numpy as np
import pytest

from pictures.picture import LoadError, Pixels
from settings import Settings, load_settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.redaction import secrets_of
from tasks.checkpoint import target_of
from tests.e2e.conftest import free_port
from tests.workers.inference.captioners.service import MODEL, service
from workers.inference.captioners.captioner import captioner_of
from workers.inference.captioners.contract import QUESTION

KEY = "sk-very-secret"


def settings_with(url: str, **models: Any) -> Settings:
    """Settings whose captioner is the model of the service at this URL."""
    known = load_settings()
    named = {"blip": MODEL, "caption_url": url, **models}
    values = {**known.models.model_dump(), **named}
    changed = type(known.models).model_validate(values)
    gpu = known.gpu.model_copy(update={"hang_seconds": 8})
    return known.model_copy(update={"models": changed, "gpu": gpu})


def shade(red: int, width: int = 40) -> Pixels:
    """A picture whose colour says which one it is."""
    return np.full((30, width, 3), red, dtype=np.uint8)


def refusal(settings: Settings) -> DarkroomError:
    """What loading the captioner ends with."""
    with pytest.raises(DarkroomError) as caught:
        captioner_of(settings, None, 4).load()  # type: ignore[arg-type]  # a service needs no device
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


def caption(settings: Settings, *pictures: Pixels) -> list[str]:
    """The captions of these pictures."""
    return captioner_of(settings, None, 4).caption(pictures)  # type: ignore[arg-type]  # a service needs no device


def test_each_picture_gets_its_own_caption_and_no_more_are_asked_at_once_than_set() -> None:
    with service() as there:
        there.together = threading.Barrier(3)
        captions = caption(settings_with(there.url, caption_requests=3), *(shade(10 * red) for red in range(12)))
        assert captions == [f"{QUESTION} {10 * red}" for red in range(12)]
        assert there.most_at_once == 3
        assert {(request["model"], request["temperature"]) for request in there.asked} == {(MODEL, 0)}


def test_it_is_asked_what_the_settings_say_and_the_name_tells_captions_apart() -> None:
    with service() as there:
        plain = settings_with(there.url)
        asking = settings_with(there.url, caption_prompt="What is it?", max_caption_tokens=7)
        assert caption(asking, shade(50)) == ["What is it? 50"]
        assert there.asked[0]["max_tokens"] == 7
    assert target_of(plain).blip == MODEL
    assert (target_of(asking).blip or "").startswith(f"{MODEL}#")
    assert captioner_of(asking, None, 4).name == target_of(asking).blip  # type: ignore[arg-type]  # as above


def test_a_service_that_is_busy_is_asked_again() -> None:
    with service() as there:
        settings = settings_with(there.url)
        there.troubles = [503, 429]
        assert caption(settings, shade(20)) == [f"{QUESTION} 20"]
        assert len(there.asked) == 3


def test_a_picture_that_the_service_refuses_fails_and_one_after_it_does_not() -> None:
    with service() as there:
        there.troubles = [413]
        settings = settings_with(there.url)
        with pytest.raises(LoadError, match=r"the captioner refuses it \(413\)"):
            caption(settings, shade(20))
        assert caption(settings, shade(30)) == [f"{QUESTION} 30"]


def test_a_service_that_is_away_is_a_missing_service_with_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    error = refusal(settings_with(url, caption_key=KEY))
    assert isinstance(error, ServiceMissing)
    assert str(error).startswith(f"The captioner at {url} (models.caption_url) does not answer")


def test_a_service_that_goes_away_later_is_a_missing_service_too() -> None:
    with service() as there:
        captioner = captioner_of(settings_with(there.url), None, 4)  # type: ignore[arg-type]  # as above
        captioner.load()
    with pytest.raises(ServiceMissing, match="does not answer"):
        captioner.caption([shade(1)])


def test_a_wrong_key_a_wrong_address_and_a_wrong_model_are_wrong_use_and_the_key_is_never_shown() -> None:
    with service(KEY) as there:
        assert caption(settings_with(there.url, caption_key=KEY), shade(20)) == [f"{QUESTION} 20"]
        for wrong, told in (
            (settings_with(there.url, caption_key="sk-other"), "set models.caption_key"),
            (settings_with(there.url[:-3], caption_key=KEY), "it usually ends in /v1"),
            (settings_with(there.url, blip="nothing", caption_key=KEY), f"it has {MODEL}"),
        ):
            error = refusal(wrong)
            assert isinstance(error, WrongUse)
            assert told in str(error)
    settings = settings_with(there.url, caption_key=KEY)
    assert KEY in secrets_of(settings)
    assert KEY not in repr(settings) + settings.model_dump_json()
