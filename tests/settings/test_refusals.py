"""Settings: one sentence for everything that is wrong, with the place, the key and what is allowed."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pictures.uris import place
from settings.sections import Paths
from tests.settings.conftest import Write, refusal


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[gpu]\nbatch_clp = 3\n", ["gpu.batch_clp is unknown", "did you mean gpu.batch_clip?", "torch_threads"]),
        ("[gpu]\nzzz = 3\n", ["gpu.zzz is unknown; the keys of [gpu] are devices, processes"]),
        ("[gpus]\ndevices = 'cpu'\n", ["gpus is unknown", "did you mean gpu?", "the sections are broker, qdrant"]),
        ("gpu = 3\n", ["gpu must be a table"]),
        ("[gpu]\nbatch_clip = 0\n", ['gpu.batch_clip must be "auto" or a whole number from 1, not 0.']),
        ("[gpu]\nbatch_blip = 'lots'\n", ['gpu.batch_blip must be "auto" or a whole number from 1, not "lots".']),
        (
            "[gpu]\ndtype = 'int4'\n",
            ['gpu.dtype must be "auto", "float32", "bfloat16", "float16" or "int8", not "int4".'],
        ),
        ("[gpu]\ndevices = '0,,1'\n", ["gpu.devices must be", 'not "0,,1".']),
        ("[gpu]\ndevices = 'gpu0'\n", ["gpu.devices must be", '"0,1"', 'not "gpu0".']),
        ("[models]\ncaptions = 'perhaps'\n", ['models.captions must be true or false, not "perhaps".']),
        ("[ingest]\nwindow = 2.5\n", ["ingest.window must be a whole number of at least 1, not 2.5."]),
        ("[ingest]\nwindow = true\n", ["ingest.window must be a whole number of at least 1, not true."]),
        ("[broker]\nurl = 'amqp://h'\n", ['broker.url must be "embedded" or a URL such as redis://host:6379/0']),
        ("[broker]\nurl = 'redis://h:no'\n", ['broker.url must be "embedded" or a URL']),
        ("[qdrant]\nurl = 'localhost:6333'\n", ['qdrant.url must be "embedded" or a URL such as http://host:6333']),
        ("[qdrant]\ncollection = '../up'\n", ["qdrant.collection must be at most 100 letters", 'not "../up".']),
        (
            "[qdrant]\nquantization = 'half'\n",
            ['qdrant.quantization must be "none", "scalar" or "binary", not "half".'],
        ),
        ("[qdrant]\ngrpc_port = -1\n", ["qdrant.grpc_port must be a port number, or 0 for HTTP alone, not -1."]),
        ("[paths]\nmap = {photos = '/mnt'}\n", ["paths.map must be a table of absolute folders such as"]),
        ("[paths]\nallowed = ['photos']\n", ["paths.allowed must be a list of absolute folders and addresses"]),
        ("[flower]\nport = 70000\n", ["flower.port must be a port number from 1 to 65535, not 70000."]),
        ("[ingest\nwindow = 1\n", ["is not valid TOML: expected ']'", "line 1"]),
    ],
)
def test_what_is_wrong_in_the_file_is_one_sentence_with_file_key_and_what_is_allowed(
    write: Write, text: str, words: list[str]
) -> None:
    file = write(text)
    sentence = refusal()
    assert str(file) in sentence
    for part in words:
        assert part in sentence


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DARKROOM__GPU__BATCH_CLP", "3", "gpu.batch_clp is unknown (did you mean gpu.batch_clip?)"),
        ("DARKROOM__GPUS__DEVICES", "cpu", "gpus is unknown (did you mean gpu?)"),
        ("DARKROOM__GPU", "{}", "gpu.(no key) is unknown"),
        ("DARKROOM__PATHS__MAP", "/photos=/mnt", "must be a table of absolute folders such as"),
        ("DARKROOM__PATHS__ALLOWED", "/photos", "must be a list of absolute folders and addresses"),
        ("DARKROOM_MODELS_CLIP", "x", "is unknown: did you mean DARKROOM__MODELS__CLIP?"),
        ("DARKROOM_GPU__BATCH_CLIP", "3", "is unknown: did you mean DARKROOM__GPU__BATCH_CLIP?"),
        ("DARKROOM_DATA_DIR", "/data", "is unknown: did you mean DARKROOM__DATA__DIR?"),
        ("DARKROOM__INGEST__WINDOW", "-1", 'must be a whole number of at least 1, not "-1".'),
    ],
)
def test_what_is_wrong_in_the_environment_names_the_variable(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    write("[ingest]\nwindow = 7\n")
    monkeypatch.setenv(variable, value)
    sentence = refusal()
    assert sentence.startswith(variable)
    assert words in sentence


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKROOM_SETTINGS", str(tmp_path / "gone.toml"))
    assert f"{tmp_path / 'gone.toml'} does not exist" in refusal()


def test_a_file_that_is_not_text_is_named(write: Write) -> None:
    file = write("")
    file.write_bytes(b"\xff\xfe\x00")
    assert f"{file} is not valid TOML" in refusal()


INTERACTIVE_THREADS = (
    "/photos", "/", "s3://bucket/pictures", "https://host", "http://[::1]:8080/a", "gs://bucket", "photos", "ftp://host",
    "s3://a:b@c", "https://host/a?token=x", "https://host/#a", "s3://bucket/../x", "s3://bucket/%2e%2e/x", "s3://", "",
    "https://host:x/", "s3://bucket/a\\b",
)  # fmt: skip


@pytest.mark.parametrize("named", INTERACTIVE_THREADS)
def test_an_allowed_root_is_taken_exactly_where_the_readers_of_pictures_take_it(named: str) -> None:
    try:
        Paths(allowed=[named])
        taken = True
    except ValidationError:
        taken = False
    try:
        readable = named.startswith("/") or bool(place(named))
    except ValueError:
        readable = False
    assert taken == readable
