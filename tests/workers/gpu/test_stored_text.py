"""Texts are stored in one form, whatever form a disk or a camera has them in; the URI alone keeps every byte."""

from pathlib import Path
from urllib.parse import quote

from PIL import Image

from tasks.messages import FileItem
from tests.pictures.made.described import xmp
from tests.workers.gpu.bench import OpenBench

NFD, NFC = "Cafe\u0301", "Café"


def test_texts_are_stored_in_one_form_and_the_uri_as_it_is(open_bench: OpenBench, tmp_path: Path) -> None:
    path = tmp_path / f"{NFD}.jpg"
    packet = xmp(
        f'<dc:title><rdf:Alt><rdf:li xml:lang="x-default">{NFD} de Flore</rdf:li></rdf:Alt></dc:title>'
        f"<dc:subject><rdf:Bag><rdf:li>{NFD}</rdf:li><rdf:li>{NFC}</rdf:li></rdf:Bag></dc:subject>"
    )
    Image.new("RGB", (32, 32), (9, 99, 9)).save(path, xmp=packet)
    bench = open_bench(captions=False)
    bench.process([FileItem(7, path.as_uri())])
    _, payload, _ = bench.rows[7]
    assert payload["uri"] == path.as_uri()
    assert quote(NFD) in payload["uri"]
    assert payload["name"] == f"{NFC}.jpg"
    assert payload["title"] == f"{NFC} de Flore"
    assert payload["keywords"] == [NFC]
