"""XMP packets, and what one of them says."""

NAMESPACES = " ".join(
    f'xmlns:{prefix}="{name}"'
    for prefix, name in {
        "dc": "http://purl.org/dc/elements/1.1/",
        "xmp": "http://ns.adobe.com/xap/1.0/",
        "exif": "http://ns.adobe.com/exif/1.0/",
        "exifEX": "http://cipa.jp/exif/1.0/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/",
        "tiff": "http://ns.adobe.com/tiff/1.0/",
        "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "lr": "http://ns.adobe.com/lightroom/1.0/",
        "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
        "darktable": "http://darktable.sf.net/",
    }.items()
)


def xmp(inside: str, before: str = "") -> bytes:
    """An XMP packet with these properties."""
    return (
        f'{before}<x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {NAMESPACES}>{inside}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()


FULL = xmp(
    '<dc:title><rdf:Alt><rdf:li xml:lang="de-DE">Die Eule</rdf:li>'
    '<rdf:li xml:lang="x-default">The owl</rdf:li></rdf:Alt></dc:title>'
    '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">An owl\n on a fence, née Strix</rdf:li></rdf:Alt>'
    "</dc:description><dc:subject><rdf:Bag><rdf:li>owl</rdf:li><rdf:li>night &amp; day</rdf:li><rdf:li>owl</rdf:li>"
    "</rdf:Bag></dc:subject>"
)
WRITTEN = {"title": "The owl", "description": "An owl on a fence, née Strix", "keywords": ["owl", "night & day"]}
