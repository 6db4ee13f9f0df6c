"""XMP is found whatever stands around it, in every format, and means the picture itself."""

import tracemalloc
import zlib

import pytest

from pictures.facts.png import MAX_TEXT_BYTES
from pictures.facts.reading import read_facts
from tests.pictures.facts.written import KEYWORD, TITLE, exif_block, gif, iptc_block, png, with_xmp
from tests.pictures.made.described import FULL, WRITTEN, xmp
from tests.pictures.made.pictures import encoded, quarters, seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

HEAD = "<?xpacket begin='\N{ZERO WIDTH NO-BREAK SPACE}' id='W5M0MpCehiHzreSzNTczkc9d'?>"
TEXT = FULL.decode()
UNTIDY = {
    "utf-8 with a mark": b"\xef\xbb\xbf" + FULL,
    "with a wrapper": (HEAD + TEXT + " " * 2000 + "<?xpacket end='w'?>").encode(),
    "with an open end": (HEAD + TEXT + '<?xpacket end="w"').encode(),
    "with junk behind": FULL + b"\0\0\xff\xfe\x01 <junk>",
    "with junk before": b"http://ns.adobe.com/xap/1.0/\0" + FULL,
    "with a declaration": b'<?xml version="1.0" encoding="UTF-8"?>\n' + FULL,
    "with a control character": FULL.replace(b"An owl", b"An \x01owl"),
    "without its outer element": TEXT[TEXT.index("<rdf:RDF") : TEXT.index("</x:xmpmeta>")].encode(),
    **{f"{form} with a mark": (HEAD + TEXT).encode(form) for form in ("utf-16", "utf-32")},
    **{form: (HEAD + TEXT).encode(form) for form in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")},
    **{f"{form}, with junk": TEXT.encode(form) + b"\0 junk" for form in ("utf-16-le", "utf-16-be")},
}


@pytest.mark.parametrize("kind", UNTIDY)
@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_a_packet_that_is_untidy_is_read(kind: str, form: str) -> None:
    assert with_xmp(UNTIDY[kind], form) == WRITTEN


def profile(name: str, block: bytes) -> tuple[bytes, bytes]:
    """The block as ImageMagick and exiv2 put it into a PNG."""
    digits = block.hex()
    lines = "\n".join(digits[start : start + 72] for start in range(0, len(digits), 72))
    text = f"\n{name}\n{len(block):8}\n{lines}\n".encode()
    return b"zTXt", f"Raw profile type {name}".encode() + b"\0\0" + zlib.compress(text)


def test_a_png_keeps_its_metadata_in_profiles_and_texts_of_all_kinds() -> None:
    key, packed = b"XML:com.adobe.xmp\0", zlib.compress(FULL)
    for chunk in (
        (b"iTXt", key + b"\0\0\0\0" + FULL),
        (b"iTXt", key + b"\1\0\0\0" + packed),
        (b"zTXt", key + b"\0" + packed),
        (b"tEXt", key + FULL),
        profile("xmp", FULL),
        profile("APP1", b"http://ns.adobe.com/xap/1.0/\0" + FULL),
    ):
        assert seen(png(chunk)).facts == WRITTEN
    plain = profile("xmp", FULL)[1].partition(b"\0")[0] + b"\0\nxmp\n  1\n" + FULL.hex().encode()
    assert seen(png((b"tEXt", plain))).facts == WRITTEN
    records = [(TITLE, b"Harbour"), (KEYWORD, b"boat")]
    block = iptc_block(records)
    for chunk in (profile("iptc", block), profile("8bim", block), profile("iptc", block[12:])):
        assert seen(png(chunk)).facts == {"title": "Harbour", "keywords": ["boat"]}
    exif = exif_block({271: "Canon", 272: "Canon EOS R5"})
    for chunk in (profile("exif", exif), profile("APP1", exif), (b"eXIf", exif[6:])):
        assert seen(png(chunk)).facts == {"camera": "Canon EOS R5"}


@pytest.mark.parametrize(
    "chunk",
    [
        (b"zTXt", b"XML:com.adobe.xmp\0\0broken"),
        (b"tEXt", b"Raw profile type xmp\0\nxmp\n 3\nzz"),
        (b"tEXt", b"Raw profile type iptc\0"),
        (b"eXIf", b"II*\0\xff\xff\xff\xff"),
        (b"zTXt", b"Title\0\0" + zlib.compress(bytes(9_000_000))),
    ],
)
def test_a_chunk_that_is_broken_or_a_bomb_loses_itself_alone(chunk: tuple[bytes, bytes]) -> None:
    assert read_facts(png(chunk, (b"tEXt", b"Description\0A boat"))) == {"description": "A boat"}


def test_of_thousands_of_packed_texts_some_are_unpacked() -> None:
    bomb = zlib.compress(bytes(MAX_TEXT_BYTES))
    data = png((b"zTXt", b"Title\0\0" + zlib.compress(b"Harbour")), *[(b"zTXt", b"x\0\0" + bomb)] * 5000)
    tracemalloc.start()
    assert read_facts(data) == {"title": "Harbour"}
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The first text of a keyword is kept; those that follow are given back.
    assert peak < len(data) + 8 * MAX_TEXT_BYTES


def test_a_checksum_that_is_wrong_loses_no_text() -> None:
    data = png((b"tEXt", b"Title\0Harbour"), (b"tEXt", b"Description\0A boat"))
    at = data.index(b"A boat") + len(b"A boat")
    damaged = data[:at] + bytes(4) + data[at + 4 :]
    assert read_facts(damaged) == {"title": "Harbour", "description": "A boat"}


def test_a_gif_keeps_its_xmp_in_an_extension() -> None:
    assert seen(gif(FULL)).facts == WRITTEN
    assert seen(encoded(quarters(), "GIF", comment=b"no XMP")).facts == {}


def test_a_title_is_a_list_of_languages_or_a_text_or_an_attribute() -> None:
    assert with_xmp(xmp("<dc:title>Harbour</dc:title>")) == {"title": "Harbour"}
    attribute = xmp("").replace(b'rdf:about=""', b'rdf:about="" dc:title="Harbour" xmp:Rating="3"')
    assert with_xmp(attribute) == {"title": "Harbour", "rating": 3}
    qualified = '<dc:title rdf:parseType="Resource"><rdf:value>Harbour</rdf:value></dc:title>'
    assert with_xmp(xmp(qualified)) == {"title": "Harbour"}


def test_what_describes_another_picture_is_not_taken_for_this_one() -> None:
    other = "<rdf:Description><dc:title>Another</dc:title><xmp:Rating>3</xmp:Rating></rdf:Description>"
    assert (
        with_xmp(xmp(f"<photoshop:Ingredients><rdf:Bag><rdf:li>{other}</rdf:li></rdf:Bag></photoshop:Ingredients>"))
        == {}
    )
