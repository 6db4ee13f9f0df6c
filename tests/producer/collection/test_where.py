"""Conditions as a person writes them; what they find is tested in tests/workers/storage/test_where_brute_force.py."""

from pathlib import Path
from typing import Any

import pytest

from producer.collection.where import parse_conditions
from producer.collection.where_fields import ALSO, FIELDS, Kind
from settings.errors import WrongUse
from tests.conftest import ROOT
from workers.storage.where import parse_where


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("camera=Canon*", {"field": "camera", "like": ["Canon*"]}),
        (" Camera = 'Canon EOS R5' ", {"field": "camera", "like": ["Canon EOS R5"]}),
        ("format:jpg|PNG", {"field": "format", "like": ["jpeg", "PNG"]}),
        ("tag=sea", {"field": "keywords", "like": ["sea"]}),
        ("taken>=2024-06", {"field": "taken_local", "from": "2024-06-01T00:00:00"}),
        ("date<=2024", {"field": "taken_local", "to": "2025-01-01T00:00:00"}),
        (
            "taken=2024-12-31",
            {"field": "taken_local", "from": "2024-12-31T00:00:00", "to": "2025-01-01T00:00:00"},
        ),
        (
            "taken=2024-12-31T14:00+02:00",
            {"field": "taken_at", "from": "2024-12-31T14:00:00+02:00", "to": "2024-12-31T14:01:00+02:00"},
        ),
        ("label=Red", {"field": "label", "like": ["Red"]}),
        ("stars>=4", {"field": "rating", "from": 4}),
        ("rating=-1", {"field": "rating", "from": -1, "to": 0}),
        ("iso>800", {"field": "iso", "from": 801}),
        ("width<=4000", {"field": "width", "to": 4001}),
        ("bytes>=20M", {"field": "bytes", "from": 20_000_000}),
        ("size<1.5 MiB", {"field": "bytes", "to": 1_572_864}),
        ("aperture<f/2.8", {"field": "aperture", "to": 2.8}),
        ("exposure>=1/250s", {"field": "exposure", "from": 0.004}),
        ("focal_length>=200mm", {"field": "focal_length", "from": 200.0}),
        ('caption:"red circle"', {"field": "caption", "text": "red circle"}),
        ("near:-33.87, 151.21, 5km", {"field": "gps", "near": [-33.87, 151.21, 5.0]}),
        ("root=/p/2024/", {"field": "uri", "prefix": "file:///p/2024/"}),
        ("root=s3://bucket/a", {"field": "uri", "prefix": "s3://bucket/a/"}),
        ("root=s3://bucket/a b", {"field": "uri", "prefix": "s3://bucket/a%20b/"}),
        ("root=/p/a.zip", {"field": "root", "is": "zip://::file:///p/a.zip"}),
        ("root=s3://bucket/a.zip", {"field": "root", "is": "zip://::s3://bucket/a.zip"}),
        ("folder=/a b", {"field": "uri", "prefix": "file:///a%20b/"}),
        ("folder=/ä", {"field": "uri", "prefix": ["file:///%C3%A4/", "file:///a%CC%88/"]}),
        ("folder=/a\u0308", {"field": "uri", "prefix": ["file:///a%CC%88/", "file:///%C3%A4/"]}),
        ("root=s3://bucket/京 都/", {"field": "uri", "prefix": "s3://bucket/%E4%BA%AC%20%E9%83%BD/"}),
        ("name=caf\udce9*", {"field": "name", "prefix": "caf\ufffd"}),
        ("folder=/caf\udce9", {"field": "uri", "prefix": "file:///caf%E9/"}),
        ("root=/", {"field": "uri", "prefix": "file:///"}),
        ("name=IMG_*", {"field": "name", "prefix": "IMG_"}),
        ("sha256=" + 32 * "AB", {"field": "sha256", "is": 32 * "ab"}),
        ("damaged=true", {"field": "damaged", "exists": True}),
        ("damaged:No", {"field": "damaged", "exists": False}),
        ("has:gps", {"field": "gps", "exists": True}),
    ],
)
def test_a_condition_is_read_as_it_is_meant(text: str, condition: dict[str, Any]) -> None:
    assert parse_conditions([text]) == {"all": [condition]}


def test_a_relative_folder_starts_at_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "a.jpg").touch()
    assert parse_conditions("root=a.jpg") == {"all": [{"field": "uri", "is": (tmp_path / "a.jpg").as_uri()}]}
    with pytest.raises(WrongUse, match=f"there is no {tmp_path}/y, and only"):
        parse_conditions(["root=y"])
    assert parse_conditions(["root=x"]) == {"all": [{"field": "uri", "prefix": (tmp_path / "x").as_uri() + "/"}]}


def test_all_conditions_must_hold_and_those_with_an_exclamation_mark_must_not() -> None:
    where = parse_conditions(["format=PNG", "camera!=Canon*", "iso>=800"])
    assert where is not None
    assert [condition["field"] for condition in where["all"]] == ["format", "iso"]
    assert where["none"] == [{"field": "camera", "like": ["Canon*"]}]
    assert parse_conditions([]) is None


@pytest.mark.parametrize("name", FIELDS)
def test_the_example_of_every_field_is_a_filter_that_the_storage_worker_takes(name: str) -> None:
    assert parse_where(parse_conditions([FIELDS[name].example])) is not None


def test_other_names_lead_to_fields() -> None:
    assert set(ALSO.values()) <= set(FIELDS)
    assert {field.kind for field in FIELDS.values()} == set(Kind)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("camra=1", "'camra=1': there is no field 'camra' (did you mean camera?); the fields are camera, lens, "),
        ("canon", "'canon' is no condition: write a field, a sign and a value, like camera=Canon* or taken>=2024-06; "),
        ("=1", "'=1': there is no field ''; the fields are "),
        ("camera=", "'camera=' has no value: write it like camera=Canon*."),
        ('caption:""', '\'caption:""\' has no value: write it like caption:"red circle".'),
        ("caption:--", "'caption:--': '--' has no word; caption takes words: "),
        ("camera>=X", "'camera>=X': camera takes = or != and not >=: it is "),
        ("iso>=high", "'iso>=high': 'high' is no number; iso takes a whole number, like iso>=800."),
        ("iso=1" + 30 * "0", "is no number; iso takes a whole number"),
        ("bytes>big", "'bytes>big': 'big' is no number of bytes; "),
        ("exposure=1/0", "'exposure=1/0': '0' is no number; "),
        ("taken>=2024-13", "'2024-13' is no date: write 2024, 2024-05, 2024-05-31 or 2024-05-31T14:00; "),
        ("taken=9999", "'9999' is no date"),
        ("near:52.5,13.4", "'52.5,13.4' has 2 of three numbers; near takes LAT,LON,KM: "),
        ("near:95,0,1", "a latitude is -90 to 90, a longitude -180 to 180, a distance more than 0; "),
        ("near:1,1,0", "a distance more than 0; "),
        ("name=*.jpg", "a * can stand at the end only; "),
        ("camera=caf\udce9", "'camera=caf\\udce9': 'caf\\udce9' holds bytes that are no UTF-8; camera takes "),
        ("title:caf\udce9", "'title:caf\\udce9': 'caf\\udce9' holds bytes that are no UTF-8; title takes "),
        ("taken=\udce9", "holds bytes that are no UTF-8; taken takes "),
        ("caption:_", "'caption:_': '_' has no word; caption takes words: "),
        ("has:colour", "there is no field 'colour'; has takes the name of a field that has a value, like has:near."),
        ("has:camra", "(did you mean camera?)"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_may_be(text: str, sentence: str) -> None:
    with pytest.raises(WrongUse) as raised:
        parse_conditions(["format=PNG", text])
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".")


def test_the_documentation_has_every_field_with_its_example() -> None:
    text = (ROOT / "docs" / "search.md").read_text(encoding="utf-8")
    for name, field in FIELDS.items():
        assert f"| `{name}` |" in text
        assert f"`{field.example}`" in text
