"""Tokens: shown once, kept as hashes, readable by their owner alone."""

import json
from pathlib import Path

import pytest

from settings import Settings, load_settings
from settings.errors import NotFound, ServiceMissing, WrongUse
from web.doors.hosts import is_open
from web.doors.tokens import Tokens
from web.server import require_door


def settings_in(folder: Path, **web: object) -> Settings:
    settings = load_settings()
    data = settings.data.model_copy(update={"dir": folder})
    return settings.model_copy(update={"data": data, "web": settings.web.model_copy(update=web)})


@pytest.fixture
def tokens(tmp_path: Path) -> Tokens:
    return Tokens(settings_in(tmp_path))


def test_a_token_is_kept_as_a_hash_that_its_owner_alone_can_read(tokens: Tokens, tmp_path: Path) -> None:
    secret = tokens.create("phone", ["read"])
    file = tmp_path / "web" / "tokens.json"
    assert secret not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    assert tokens.scopes_of(secret) == {"read"}
    assert [set(token.to_dict()) for token in tokens.all()] == [{"name", "scopes", "created"}]


def test_a_wider_scope_has_the_narrower_ones(tokens: Tokens) -> None:
    assert tokens.scopes_of(tokens.create("a", ["ingest"])) == {"read", "ingest"}
    assert tokens.scopes_of(tokens.create("b", ["admin"])) == {"read", "ingest", "admin"}
    assert tokens.scopes_of("darkroom_other") == set()


def test_another_process_sees_what_was_revoked(tokens: Tokens, tmp_path: Path) -> None:
    secret, others = tokens.create("phone", ["read"]), Tokens(settings_in(tmp_path))
    assert others.scopes_of(secret)
    tokens.revoke("phone")
    assert not others.scopes_of(secret)


def test_names_are_taken_once_and_unknown_ones_are_told(tokens: Tokens) -> None:
    tokens.create("phone", ["read"])
    with pytest.raises(WrongUse, match="There is a token 'phone' already"):
        tokens.create("phone", ["read"])
    with pytest.raises(WrongUse, match="at most 60 letters"):
        tokens.create("<b>", ["read"])
    with pytest.raises(NotFound, match="There is no token 'other'"):
        tokens.revoke("other")


@pytest.mark.parametrize("web", [{"address": "0.0.0.0"}, {"address": "::"}, {"hosts": ["pictures.example"]}])
def test_where_others_could_come_in_a_token_must_be_there_first(tmp_path: Path, web: dict[str, object]) -> None:
    settings = settings_in(tmp_path, **web)
    assert not is_open(settings)
    with pytest.raises(WrongUse, match="make a token first with `darkroom token create NAME`"):
        require_door(settings)
    Tokens(settings).create("phone", ["read"])
    require_door(settings)


def test_on_this_machine_alone_nobody_needs_one(tmp_path: Path) -> None:
    for address in ("127.0.0.1", "::1", "localhost"):
        settings = settings_in(tmp_path, address=address)
        assert is_open(settings)
        require_door(settings)


def test_a_file_that_was_broken_by_hand_is_told(tokens: Tokens, tmp_path: Path) -> None:
    tokens.create("phone", ["read"])
    file = tmp_path / "web" / "tokens.json"
    file.write_text(json.dumps([{"name": "phone"}]))
    with pytest.raises(ServiceMissing, match=r"tokens\.json cannot be read"):
        tokens.all()
