"""The fields that `--where` knows: what a person calls them, where they stand in the payload, what values they take."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a field holds, and so which signs and values its conditions take."""

    TEXT = "one of some names, like the camera: * and ? stand for letters, upper and lower case are the same"
    FILE_NAME = "the name of a file: exact, or its beginning and a *"
    FOLDER = "a folder: the pictures in it and below it"
    EXACT = "the 64 digits of a SHA-256"
    WORDS = "words: all of them, in any order"
    WHOLE = "a whole number"
    BYTES = "a number of bytes, with K, M or G for thousands of them"
    MEASURE = "a measured number: = means within one per cent"
    TIME = "a year, a month, a day or a moment"
    PLACE = "LAT,LON,KM: within KM kilometres of a place"
    FLAG = "true or false"
    FACT = "the name of a field that has a value"


ORDERED = (Kind.WHOLE, Kind.BYTES, Kind.MEASURE, Kind.TIME)
# Which may hold bytes that are no text.
NAMES_OF_FILES = (Kind.FILE_NAME, Kind.FOLDER)


@dataclass(frozen=True)
class Field:
    """A field of the payload as `--where` reads it; `example` is a condition that a user could write."""

    payload: str
    kind: Kind
    example: str


FIELDS = {
    "camera": Field("camera", Kind.TEXT, "camera=Canon*"),
    "lens": Field("lens", Kind.TEXT, "lens=*50mm*"),
    "format": Field("format", Kind.TEXT, "format=JPEG"),
    "keywords": Field("keywords", Kind.TEXT, "keywords=holiday"),
    "label": Field("label", Kind.TEXT, "label=Red"),
    "concept": Field("concepts", Kind.TEXT, "concept=receipt"),
    "place": Field("places", Kind.TEXT, "place=Lisbon"),
    "rating": Field("rating", Kind.WHOLE, "rating>=4"),
    "root": Field("uri", Kind.FOLDER, "root=~/Pictures/2024"),
    "name": Field("name", Kind.FILE_NAME, "name=IMG_12*"),
    "taken": Field("taken_at", Kind.TIME, "taken>=2024-06"),
    "near": Field("gps", Kind.PLACE, "near:52.52,13.40,5"),
    "caption": Field("caption", Kind.WORDS, 'caption:"red circle"'),
    "title": Field("title", Kind.WORDS, "title:harbour"),
    "description": Field("description", Kind.WORDS, "description:wedding"),
    "text": Field("text", Kind.WORDS, "text:invoice"),
    "width": Field("width", Kind.WHOLE, "width>=4000"),
    "height": Field("height", Kind.WHOLE, "height<1000"),
    "bytes": Field("bytes", Kind.BYTES, "bytes>20M"),
    "iso": Field("iso", Kind.WHOLE, "iso>=800"),
    "aperture": Field("aperture", Kind.MEASURE, "aperture<=2.8"),
    "exposure": Field("exposure", Kind.MEASURE, "exposure<=1/250"),
    "focal_length": Field("focal_length", Kind.MEASURE, "focal_length>=200"),
    "sha256": Field("sha256", Kind.EXACT, f"sha256={64 * '0'}"),
    "damaged": Field("damaged", Kind.FLAG, "damaged=true"),
    "has": Field("", Kind.FACT, "has:near"),
}
# What a person may call them as well.
ALSO = {
    "date": "taken",
    "taken_at": "taken",
    "folder": "root",
    "dir": "root",
    "keyword": "keywords",
    "tag": "keywords",
    "tags": "keywords",
    "concepts": "concept",
    "places": "place",
    "city": "place",
    "country": "place",
    "stars": "rating",
    "size": "bytes",
    "gps": "near",
    "file": "name",
}
