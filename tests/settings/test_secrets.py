"""Settings: a secret is never shown, neither in the settings nor when it is refused."""

import pytest

from settings import load_settings
from tests.settings.conftest import Write, refusal

SECRETS = """
[broker]
url = "redis://worker:pa55-broker@cache:6379/0"
[qdrant]
url = "https://me:pa55-qdrant@store:6333"
api_key = "pa55-key"
[flower]
basic_auth = "me:pa55-flower"
"""


def test_a_secret_shows_in_no_text_form_of_the_settings(write: Write) -> None:
    write(SECRETS)
    settings = load_settings()
    assert settings.broker.url == "redis://worker:pa55-broker@cache:6379/0"
    forms = [f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"]
    forms += [f"{section} {section!r}" for section in (settings.broker, settings.qdrant, settings.flower)]
    assert "pa55" not in " ".join(forms)
    assert settings.broker.safe_url == "redis://worker:***@cache:6379/0"
    assert settings.qdrant.safe_url == "https://me:***@store:6333"


def test_a_password_in_the_query_of_a_socket_is_hidden_too(write: Write) -> None:
    write('[broker]\nurl = "unix:///run/redis.sock?db=1&password=pa55"\n')
    assert load_settings().broker.safe_url == "unix:///run/redis.sock?db=1&password=***"


@pytest.mark.parametrize(
    "text",
    [
        '[broker]\nurl = "rdis://worker:pa55@cache"\n',
        '[broker]\nurl = "redis://worker:pa55@cache:port"\n',
        '[qdrant]\nurl = "me:pa55@store"\n',
        '[qdrant]\napi_key = ["pa55"]\n',
        '[flower]\nbasic_auth = "pa55"\n',
        '[qdrant]\napi_kye = "pa55"\n',
        '[paths]\nallowed = ["s3://key:pa55@bucket"]\n',
    ],
)
def test_a_wrong_secret_is_refused_without_being_shown(write: Write, text: str) -> None:
    write(text)
    assert "pa55" not in refusal()
