"""What exiftool reads of files, as the facts of the product, and what it writes into them."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

PROGRAM = shutil.which("exiftool")

# Fact -> the tags of exiftool that say it, the best one first.
TAGS = {
    "taken_at": (
        *("ExifIFD:DateTimeOriginal", "XMP-exif:DateTimeOriginal", "XMP-photoshop:DateCreated"),
        *("IPTC:DateTimeCreated", "ExifIFD:CreateDate", "XMP-xmp:CreateDate", "PNG:CreationTime", "IFD0:ModifyDate"),
    ),
    "lens": ("ExifIFD:LensModel", "XMP-exifEX:LensModel", "XMP-aux:Lens"),
    "exposure": ("ExifIFD:ExposureTime", "XMP-exif:ExposureTime"),
    "aperture": ("ExifIFD:FNumber", "XMP-exif:FNumber"),
    "iso": ("ExifIFD:ISO", "XMP-exif:ISO"),
    "focal_length": ("ExifIFD:FocalLength", "XMP-exif:FocalLength"),
    "title": ("XMP-dc:Title", "IPTC:ObjectName", "IFD0:XPTitle", "PNG:Title"),
    "description": ("XMP-dc:Description", "IPTC:Caption-Abstract", "IFD0:ImageDescription", "PNG:Description"),
    "keywords": ("XMP-dc:Subject", "IPTC:Keywords", "IFD0:XPKeywords"),
    "rating": ("XMP-xmp:Rating", "IFD0:Rating"),
    "label": ("XMP-xmp:Label",),
}


def facts_by_exiftool(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of a file -> the facts that exiftool reads of it."""
    assert PROGRAM is not None
    command = [PROGRAM, "-j", "-n", "-G1", "-api", "struct=0", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {Path(tags["SourceFile"]).name: facts_of(tags) for tags in json.loads(done.stdout)}


def facts_of(tags: Mapping[str, Any]) -> dict[str, Any]:
    """The tags of one file as facts; those that it does not have are left out."""
    tags = dict(tags)
    if "IPTC:DateCreated" in tags:
        tags["IPTC:DateTimeCreated"] = f"{tags['IPTC:DateCreated']} {tags.get('IPTC:TimeCreated', '')}".strip()
    facts = {fact: next((tags[tag] for tag in names if tag in tags), None) for fact, names in TAGS.items()}
    if facts["taken_at"]:
        day, _, time = str(facts["taken_at"]).partition(" ")
        facts["taken_at"] = day.replace(":", "-") + (f"T{time}" if time else "")
    if isinstance(facts["keywords"], str):
        facts["keywords"] = facts["keywords"].split(";")
    for group in ("IFD0", "XMP-tiff"):
        if f"{group}:Model" in tags and "camera" not in facts:
            facts["camera"] = tags[f"{group}:Model"]
    latitude, longitude = (
        tags.get(f"Composite:GPS{name}", tags.get(f"XMP-exif:GPS{name}")) for name in ("Latitude", "Longitude")
    )
    if latitude not in (None, "") and longitude not in (None, ""):
        facts["gps"] = {"lat": float(latitude), "lon": float(longitude)}
    return {fact: value for fact, value in facts.items() if value not in (None, "")}


def write(files: Iterable[Path], *tags: str) -> None:
    """Write tags into files; warnings about tags that a format has no place for are none of ours."""
    assert PROGRAM is not None
    subprocess.run([PROGRAM, "-q", "-q", "-m", "-overwrite_original", *tags, *map(str, files)], check=True)
