"""A sidecar is added to by one block; all else in it stays byte by byte, and is somebody else's."""

import pytest

from pictures.facts.xmp import parse
from pictures.facts.xmp_writing import NotWritable, read, with_block

FOREIGN = """\ufeff<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="XMP Core 6.0">
  <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
    <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"
        xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/" crs:Exposure2012="+0.35">
    <!-- mine -->
    <dc:title xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Alt>
        <rdf:li xml:lang="x-default">Harbour &amp; sea</rdf:li></rdf:Alt></dc:title>
    </rdf:Description>
  </rdf:RDF>
</x:xmpmeta>\r\n<?xpacket end="w"?>""".encode()

OWN: dict[str, str | list[str]] = {
    "dc:description": "a <dog> & a cat",
    "dc:subject": ["dog", "京都"],
    "photoshop:City": "Lisbon",
}


@pytest.mark.parametrize("before", [None, FOREIGN])
def test_what_is_written_is_read_again_and_known_as_own(before: bytes | None) -> None:
    written = with_block(read(before), OWN)
    found = parse(written)
    assert (found.text("dc:description"), found.texts("dc:subject")) == ("a <dog> & a cat", ["dog", "京都"])
    again = read(written)
    assert again.own | {"darkroom:block": "1"} == {**OWN, "darkroom:block": "1"}
    assert with_block(again, OWN) == written


def test_every_byte_of_others_stays() -> None:
    sidecar = read(FOREIGN)
    assert sidecar.own == {}
    assert {"xmp:Rating", "dc:title"} <= sidecar.foreign
    written = with_block(sidecar, OWN)
    block = written[len(FOREIGN) - len(FOREIGN) :]
    assert block.startswith(FOREIGN[: FOREIGN.index(b"  </rdf:RDF>")])
    assert written.endswith(FOREIGN[FOREIGN.index(b"  </rdf:RDF>") :])
    assert with_block(read(written), {}) == FOREIGN
    changed = with_block(read(written), {"photoshop:City": "Porto"})
    assert parse(changed).text("photoshop:City", "dc:description") == "Porto"
    assert parse(changed).text("dc:title") == "Harbour & sea"


@pytest.mark.parametrize(
    "data",
    [b"", b"no xmp", FOREIGN.decode().encode("utf-16"), FOREIGN.replace(b"</rdf:Description>", b""), 2 * FOREIGN],
)
def test_what_is_no_sound_xmp_is_left_alone(data: bytes) -> None:
    with pytest.raises(NotWritable):
        read(data)
