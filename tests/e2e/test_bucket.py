"""Pictures in a bucket, on a real S3 server process, through the whole pipeline; the key to it stays a secret."""

import io
import json
import zipfile
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from pictures.picture import FileGone, LoadError
from pictures.reading import Sources
from pictures.uris import place
from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.named_sources import sources_of
from producer.ingest.sources.roots import find_root, root_uri
from settings import Settings, load_settings
from settings.errors import WrongUse
from tests.conftest import ROOT
from tests.e2e.conftest import Home, free_port
from tests.object_store import SECRET, Bucket, s3_server
from tests.pictures.made.pictures import encoded, quarters

pytestmark = pytest.mark.e2e

MODELS = {"DARKROOM__MODELS__CLIP": "null", "DARKROOM__MODELS__CAPTIONS": "false"}
ODD = "in%20ner/100%25%20"
PICTURES = sorted(path for path in (ROOT / "examples" / "pictures").rglob("*.*") if path.name != "corrupt.jpg")[:6]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """Six good pictures, one of them below a folder with an odd name, one that is none, and what is not looked at."""
    with s3_server(tmp_path_factory.mktemp("s3"), free_port()) as own:
        for number, path in enumerate(PICTURES):
            own.put(
                f"album/{'in%20ner/100%25 ' if number == 5 else ''}{number}{path.suffix}".replace(" ", "%20"),
                path.read_bytes(),
            )
        own.put("album/broken.jpg", b"no picture")
        own.put("album/notes.txt", b"no picture")
        own.put("album/", b"")
        own.put("elsewhere/a.jpg", PICTURES[0].read_bytes())
        yield own


def test_a_bucket_is_ingested_like_a_folder_and_nobody_learns_its_key(home: Home, bucket: Bucket) -> None:
    home.settings = {**MODELS, **bucket.env, "DARKROOM__PATHS__ALLOWED": json.dumps(["s3://pictures/album"])}
    before = bucket.listings()
    done = home.json("ingest", "s3://pictures/album")
    assert bucket.listings() == before + 1
    assert (done["exit"], done["total"], done["stored"], done["failed"]) == (1, 7, 6, 1)
    points = home.points()
    names = [f"{ODD if number == 5 else ''}{number}{path.suffix}" for number, path in enumerate(PICTURES)]
    expected = [f"s3://pictures/album/{name}" for name in names]
    assert sorted(points) == sorted(expected)
    odd = points[expected[-1]].payload
    assert (odd["name"], odd["root"]) == (f"100% 5{PICTURES[5].suffix}", "s3://pictures/album")
    refused = home.run("ingest", "s3://pictures/elsewhere")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.startswith(
        "error: s3://pictures/elsewhere may not be read: it is not below the allowed roots"
    )
    for path in home.data.rglob("*"):
        assert not path.is_file() or SECRET.encode() not in path.read_bytes(), path


@pytest.fixture
def here(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of this process, which may read the album and no large files."""
    for name, value in bucket.env.items():
        monkeypatch.setenv(name, value)
    own = load_settings()
    paths = own.paths.model_copy(update={"allowed": ["s3://pictures/album"]})
    ingest = own.ingest.model_copy(update={"max_bytes": 100_000})
    return own.model_copy(update={"paths": paths, "ingest": ingest})


def test_the_scan_and_the_reader_agree_on_what_is_unchanged(here: Settings, bucket: Bucket) -> None:
    root, files = find_root("s3://pictures/album", here)
    sources = Sources(here)
    found = list(files(PassedOver()))
    keys = [place(file.uri).path for file in found]
    assert keys == sorted(keys)
    for file in found:
        content = sources.read(file.uri, root_uri(root))
        assert (len(content.data), content.mtime) == (file.bytes, file.mtime)
    before = {file.uri: file.mtime for file in found}
    bucket.put("album/broken.jpg", b"another no picture")
    changed = {file.uri for file in files(PassedOver()) if before[file.uri] != file.mtime}
    assert changed == {"s3://pictures/album/broken.jpg"}


def test_every_key_is_listed_once_and_read_as_it_is(here: Settings, bucket: Bucket) -> None:
    keys = ["2024//1.jpg", "2024/2.jpg", "/x.jpg", "a///b.jpg", "p//q//r.jpg", "_/+%.jpg", "_/ä b.jpg"]
    refused = ["up/../c.jpg", "up/./c.jpg", "a\\b.jpg", "a?versionId=1.jpg"]
    for key in keys + refused:
        bucket.put(f"album/odd/{quote(key)}", key.encode())
    _, files = find_root("s3://pictures/album/odd/", here)
    sources = Sources(here)
    found = {file.uri: file for file in files(PassedOver())}
    assert sorted(found) == sorted(f"s3://pictures/album/odd/{quote(key)}" for key in keys + refused)
    for key in keys:
        uri = f"s3://pictures/album/odd/{quote(key)}"
        content = sources.read(uri, "s3://pictures/album")
        assert (content.data.decode(), content.mtime) == (key, found[uri].mtime)
    for key in refused:
        with pytest.raises(LoadError, match="its address is refused"):
            sources.read(f"s3://pictures/album/odd/{quote(key)}", "s3://pictures/album")
    (only,) = find_root("s3://pictures/album/odd//x.jpg", here)[1](PassedOver())
    assert only == found["s3://pictures/album/odd//x.jpg"]
    (below,) = find_root("s3://pictures/album/odd/2024//", here)[1](PassedOver())
    assert below.uri == "s3://pictures/album/odd/2024//1.jpg"


def test_a_listing_is_asked_for_page_by_page_and_once(here: Settings, bucket: Bucket) -> None:
    # A page is at most a thousand keys.
    for number in range(1001):
        bucket.put(f"album/many/{number:04d}.jpg", b"no picture")
    before = bucket.listings()
    (source,) = sources_of(["s3://pictures/album/many"], here)
    files = source.files()
    assert [next(files).uri[-8:], next(files).uri[-8:]] == ["0000.jpg", "0001.jpg"]
    assert bucket.listings() == before + 1
    assert sum(1 for _ in files) == 999
    assert bucket.listings() == before + 2
    assert source.count is None


def test_an_archive_in_a_bucket_is_read_in_parts(here: Settings, bucket: Bucket) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(PICTURES[0], "in ner/a.jpg")
        archive.writestr("__MACOSX/in ner/._a.jpg", b"no picture")
        archive.writestr("notes.txt", b"no picture")
        archive.writestr("in ner/", b"")
    bucket.put("album/pictures.zip", packed.getvalue())
    root, files = find_root("s3://pictures/album/pictures.zip", here)
    (file,) = files(PassedOver())
    assert file.uri == "zip://in%20ner/a.jpg::s3://pictures/album/pictures.zip"
    content = Sources(here).read(file.uri, root_uri(root))
    assert (content.data, content.mtime) == (PICTURES[0].read_bytes(), file.mtime)


def test_a_bucket_that_is_not_there_or_does_not_answer_is_one_sentence(
    here: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    everywhere = here.model_copy(
        update={"paths": here.paths.model_copy(update={"allowed": ["s3://none", "s3://pictures"]})}
    )
    _, files = find_root("s3://none/album", everywhere)
    with pytest.raises(WrongUse, match=r"^There is no s3://none/album\.$"):
        next(files(PassedOver()))
    _, files = find_root("s3://pictures/nothing-here", everywhere)
    with pytest.raises(WrongUse, match=r"^There is no s3://pictures/nothing-here\.$"):
        next(files(PassedOver()))


def test_an_object_that_is_gone_or_too_large_fails_alone(here: Settings, bucket: Bucket) -> None:
    sources = Sources(here)
    with pytest.raises(FileGone):
        sources.read("s3://pictures/album/none.jpg", "s3://pictures/album")
    bucket.put("album/large.bmp", encoded(quarters(400, 400), "BMP"))
    with pytest.raises(LoadError, match=r"bytes are more than ingest\.max_bytes = 100,000"):
        sources.read("s3://pictures/album/large.bmp", "s3://pictures/album")
