"""Addresses: where a file lies, what stands below what, and members of archives."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pictures.uris import address, member, name_of, place, point_id, split

# Keys as an object store has them; those with ".", "..", a backslash or a zero byte are refused.
PARTS = st.text(st.characters(exclude_characters="\\\0/", codec="utf-8"), max_size=5).filter(
    lambda part: part not in (".", "..")
)
KEYS = st.lists(PARTS, min_size=1, max_size=5).map("/".join)


def test_a_place_below_another_is_told_by_whole_parts_of_the_path() -> None:
    allowed = place("s3://bucket/pictures")
    assert place("s3://bucket/pictures/2024/a.jpg").is_below(allowed)
    assert place("s3://bucket/pictures").is_below(allowed)
    for other in ("s3://bucket/pictures2/a.jpg", "s3://bucket2/pictures/a.jpg", "gs://bucket/pictures/a.jpg"):
        assert not place(other).is_below(allowed)
    assert place("s3://bucket/anything").is_below(place("s3://bucket"))


def test_the_host_of_a_web_server_is_one_host_however_it_is_written() -> None:
    assert place("HTTPS://Host.Example:443/a%20b.jpg") == place("https://host.example/a b.jpg")
    assert place("https://host.example:8443/x") != place("https://host.example/x")
    assert place("http://[::1]:80/x").uri == "http://[::1]/x"


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("ftp://host/a.jpg", "ftp:// is none of s3, gs, http, https"),
        ("s3://key:pa55@bucket/a.jpg", "it holds a login"),
        ("https://host/a.jpg?signature=pa55", "it holds a query"),
        ("https://host/a.jpg#pa55", "it holds a query"),
        ("s3:///a.jpg", "no host and no bucket"),
        ("https://host/../a.jpg", 'its path holds ".", ".."'),
        ("https://host/x/%2e%2e/a.jpg", 'its path holds ".", ".."'),
        ("https://host/x%2F..%2Fa.jpg", 'its path holds ".", ".."'),
        ("https://host/x%5C..%5Ca.jpg", "a backslash"),
    ],
)
def test_an_address_that_could_lead_elsewhere_or_hold_a_secret_is_refused_without_being_repeated(
    uri: str, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason.replace(".", r"\.")) as caught:
        place(uri)
    assert "pa55" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.jpg", "in ner/ä.jpg", "100 %.png", "a::b#?.jpg", "caf\udce9.jpg"])
def test_a_member_of_an_archive_keeps_its_name_and_its_archive(name: str) -> None:
    archive = "file:///p/my%20pictures.zip"
    assert split(member(archive, name)) == (name, archive)
    assert split(archive) == (None, archive)


def test_an_archive_needs_an_address_and_lies_in_no_other_archive() -> None:
    for uri in ("zip://a.jpg", "zip://a.jpg::zip://b.zip::file:///p/c.zip"):
        with pytest.raises(ValueError, match="zip:// address ends in ::file:///"):
            split(uri)


def test_a_name_is_the_last_part_decoded_also_inside_an_archive() -> None:
    assert name_of("file:///p/a%20b.jpg") == "a b.jpg"
    assert name_of("s3://bucket/x/%C3%A4.jpg") == "ä.jpg"
    assert name_of("zip://in/a.jpg::file:///p/pictures.zip") == "a.jpg"


@given(KEYS)
@example("a//b.jpg")
@example("/a.jpg")
@example("//")
@example("a.jpg/")
@example(" #?%2F\n+.jpg")
def test_every_key_of_a_bucket_has_an_address_of_its_own_that_leads_back_to_it(key: str) -> None:
    found = place(address("s3", f"bucket/{key}"))
    assert (found.host, found.path) == ("bucket", key)
    assert place(found.uri) == found


@given(KEYS, KEYS.filter(bool))
@example("a", "a//b.jpg")
@example("a/", "a//b.jpg")
@example("a//", "a/b.jpg")
@example("/", "/a.jpg")
@example("/", "a.jpg")
def test_a_key_is_below_a_root_where_it_begins_with_the_name_of_the_folder(root: str, key: str) -> None:
    folder = root if not root or root.endswith("/") else f"{root}/"
    below = key.startswith(folder) or key == root or (key == root[:-1] and root[-1:] == "/")
    assert place(address("s3", f"bucket/{key}")).is_below(place(address("s3", f"bucket/{root}"))) == below


def test_a_folder_is_one_root_with_and_without_a_slash_at_its_end() -> None:
    assert place("s3://bucket/album/").as_root().uri == place("s3://bucket/album").as_root().uri == "s3://bucket/album"
    assert place("s3://bucket/").as_root().uri == "s3://bucket"
    # Two of them are a folder without a name.
    for uri in ("s3://bucket/album//", "s3://bucket//"):
        assert place(uri).as_root().uri == place(place(uri).as_root().uri).as_root().uri == uri


def test_a_key_that_a_library_would_take_for_another_one_is_refused() -> None:
    with pytest.raises(ValueError, match="version"):
        place("s3://bucket/a%3FversionId=b.jpg")


def test_the_id_of_a_point_follows_from_the_address_and_stays_with_every_release() -> None:
    assert point_id("file:///photos/a.jpg") == "3254c709-73fd-53e0-b3ab-c5b5688f1802"
    assert point_id("file:///photos/a.jpg") != point_id("file:///photos/b.jpg")
