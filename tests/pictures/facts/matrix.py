"""A generated matrix: each fact in each place of each format, valid, invalid and absent."""

import zlib
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from tests.pictures.facts.written import CAPTION, DATE, KEYWORD, TIME, TITLE, exif_block, gif, iptc_block, jpeg, png
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import FORMATS, encoded, quarters

BASE, GPS = ExifTags.Base, ExifTags.GPS
HALVES = {GPS.GPSLatitudeRef: "S", GPS.GPSLongitudeRef: "W"}
COORDINATES = {GPS.GPSLatitude: (33.0, 30.0, 0.0), GPS.GPSLongitude: (70.0, 30.0, 0.0)}


def _wide(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


def _alt(name: str, text: str) -> str:
    return f'<{name}><rdf:Alt><rdf:li xml:lang="x-default">{text}</rdf:li></rdf:Alt></{name}>'


def _bag(name: str, *texts: str) -> str:
    return f"<{name}><rdf:Bag>{''.join(f'<rdf:li>{text}</rdf:li>' for text in texts)}</rdf:Bag></{name}>"


# Place -> fact -> what stands there when it is valid, and when it is not.
# EXIF: tags of the first directory, of the Exif directory, of the GPS directory.
EXIF: dict[str, tuple[Any, Any]] = {
    "taken_at": (
        ({}, {BASE.DateTimeOriginal: "2003:08:31 16:12:05"}),
        ({}, {BASE.DateTimeOriginal: "2003:02:30 16:12:05"}),
    ),
    "camera": (({BASE.Make: "Canon", BASE.Model: "Canon EOS R5"}, {}), ({BASE.Make: "   ", BASE.Model: " "}, {})),
    "lens": (({}, {BASE.LensModel: "RF24-70mm F2.8 L IS USM"}), ({}, {BASE.LensModel: "----"})),
    "exposure": (({}, {BASE.ExposureTime: IFDRational(1, 250)}), ({}, {BASE.ExposureTime: IFDRational(1, 0)})),
    "aperture": (({}, {BASE.FNumber: IFDRational(28, 10)}), ({}, {BASE.FNumber: IFDRational(0, 0)})),
    "iso": (({}, {BASE.ISOSpeedRatings: 400}), ({}, {BASE.ISOSpeedRatings: 0})),
    "focal_length": (({}, {BASE.FocalLength: IFDRational(35)}), ({}, {BASE.FocalLength: IFDRational(0, 1)})),
    "gps": (({}, {}, COORDINATES | HALVES), ({}, {}, COORDINATES)),
    "title": (({BASE.XPTitle: _wide("Harbour")}, {}), ({BASE.XPTitle: _wide(" ")}, {})),
    "description": (({BASE.ImageDescription: "Sea"}, {}), ({BASE.ImageDescription: "OLYMPUS DIGITAL CAMERA"}, {})),
    "keywords": (({BASE.XPKeywords: _wide("boat;sea")}, {}), ({BASE.XPKeywords: _wide(" ; ")}, {})),
    "rating": (({0x4746: 4}, {}), ({0x4746: 77}, {})),
}
XMP: dict[str, tuple[str, str]] = {
    "taken_at": (
        "<exif:DateTimeOriginal>2003-08-31T16:12:05</exif:DateTimeOriginal>",
        "<exif:DateTimeOriginal>2003-02-30T16:12:05</exif:DateTimeOriginal>",
    ),
    "camera": ("<tiff:Make>Canon</tiff:Make><tiff:Model>Canon EOS R5</tiff:Model>", "<tiff:Model> </tiff:Model>"),
    "lens": ("<aux:Lens>RF24-70mm F2.8 L IS USM</aux:Lens>", "<aux:Lens>----</aux:Lens>"),
    "exposure": ("<exif:ExposureTime>1/250</exif:ExposureTime>", "<exif:ExposureTime>1/0</exif:ExposureTime>"),
    "aperture": ("<exif:FNumber>28/10</exif:FNumber>", "<exif:FNumber>wide</exif:FNumber>"),
    "iso": (
        "<exif:ISOSpeedRatings><rdf:Seq><rdf:li>400</rdf:li></rdf:Seq></exif:ISOSpeedRatings>",
        "<exif:ISOSpeedRatings><rdf:Seq><rdf:li>high</rdf:li></rdf:Seq></exif:ISOSpeedRatings>",
    ),
    "focal_length": ("<exif:FocalLength>35/1</exif:FocalLength>", "<exif:FocalLength>0/1</exif:FocalLength>"),
    "gps": (
        "<exif:GPSLatitude>33,30.0S</exif:GPSLatitude><exif:GPSLongitude>70,30.0W</exif:GPSLongitude>",
        "<exif:GPSLatitude>33,30.0</exif:GPSLatitude><exif:GPSLongitude>70,30.0</exif:GPSLongitude>",
    ),
    "title": (_alt("dc:title", "Harbour"), _alt("dc:title", " ")),
    "description": (_alt("dc:description", "Sea"), _alt("dc:description", "OLYMPUS DIGITAL CAMERA")),
    "keywords": (_bag("dc:subject", "boat", "sea"), _bag("dc:subject", " ")),
    "rating": ("<xmp:Rating>4</xmp:Rating>", "<xmp:Rating>77</xmp:Rating>"),
    "label": ("<xmp:Label>Red</xmp:Label>", "<xmp:Label> </xmp:Label>"),
}
IPTC: dict[str, tuple[Any, Any]] = {
    "taken_at": ([(DATE, b"20030831"), (TIME, b"161205+0000")], [(DATE, b"20030230"), (TIME, b"161205+0000")]),
    "title": ([(TITLE, b"Harbour")], [(TITLE, b"")]),
    "description": ([(CAPTION, b"Sea")], [(CAPTION, b"OLYMPUS DIGITAL CAMERA")]),
    "keywords": ([(KEYWORD, b"boat"), (KEYWORD, b"sea")], [(KEYWORD, b"")]),
}
TEXT: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "taken_at": (("Creation Time", "2003:08:31 16:12:05"), ("Creation Time", "2003:02:30 16:12:05")),
    "title": (("Title", "Harbour"), ("Title", " ")),
    "description": (("Description", "Sea"), ("Description", " ")),
}
PLACES: dict[str, dict[str, Any]] = {"EXIF": EXIF, "XMP": XMP, "IPTC": IPTC, "text": TEXT}
HAS = {
    "JPEG": ("EXIF", "XMP", "IPTC"),
    "PNG": ("EXIF", "XMP", "IPTC", "text"),
    "TIFF": ("EXIF", "XMP", "IPTC"),
    "WEBP": ("EXIF", "XMP"),
    "GIF": ("XMP",),
    "HEIF": ("EXIF", "XMP"),
    "AVIF": ("EXIF", "XMP"),
}


@dataclass(frozen=True)
class Case:
    """One fact in one place of one format."""

    form: str
    place: str
    fact: str
    is_valid: bool

    def __str__(self) -> str:
        return f"{self.form} {self.place} {self.fact}{'' if self.is_valid else ' invalid'}"

    @property
    def file_name(self) -> str:
        """A name for the file, with the extension of its format."""
        extension = {"JPEG": "jpg", "TIFF": "tif", "HEIF": "heic"}.get(self.form, self.form.lower())
        return f"{str(self).replace(' ', '-')}.{extension}"

    def data(self) -> bytes:
        """The file."""
        return written(self.form, self.place, PLACES[self.place][self.fact][not self.is_valid])


CASES = [
    Case(form, place, fact, is_valid)
    for form, places in HAS.items()
    if form in FORMATS
    for place in places
    for fact in PLACES[place]
    for is_valid in (True, False)
]


def everything() -> bytes:
    """A picture with every fact, and a time with an offset."""
    zone = {BASE.OffsetTimeOriginal: "+02:00"}
    return jpeg(exif_block({}, EXIF["taken_at"][0][1] | zone), xmp("".join(valid for valid, _ in XMP.values())))


def written(form: str, place: str, content: Any) -> bytes:
    """A picture of this format with this content in this place."""
    if place == "EXIF":
        return _with_exif(form, exif_block(*content))
    if place == "XMP":
        return _with_xmp(form, xmp(content))
    if place == "IPTC":
        return _with_iptc(form, content)
    keyword, text = content
    return png((b"tEXt", f"{keyword}\0{text}".encode("latin-1")))


def _with_exif(form: str, block: bytes) -> bytes:
    if form == "TIFF":
        exif = Image.Exif()
        exif.load(block)
        return encoded(quarters(), form, exif=exif)
    return encoded(quarters(), form, exif=block)


def _with_xmp(form: str, packet: bytes) -> bytes:
    if form == "GIF":
        return gif(packet)
    if form == "PNG":
        return png((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + packet))
    return encoded(quarters(), form, **({"tiffinfo": {700: packet}} if form == "TIFF" else {"xmp": packet}))


def _with_iptc(form: str, records: Any) -> bytes:
    block = iptc_block(records)
    if form == "JPEG":
        return jpeg(iptc=records)
    if form == "TIFF":
        return encoded(quarters(), form, tiffinfo={33723: block[12:]})
    text = f"\niptc\n{len(block):8}\n{block.hex()}\n".encode()
    return png((b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(text)))
