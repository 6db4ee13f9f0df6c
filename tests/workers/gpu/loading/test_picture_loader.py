"""A GPU worker keeps a small picture of each file that it decodes, where somebody will look for it."""

import hashlib
import io
from pathlib import Path

import pytest
from PIL import Image

from pictures.picture import Content, Picture
from pictures.thumbnail_store import ThumbnailStore
from settings import Settings
from tests.pictures.made.pictures import encoded, quarters
from tests.pictures.thumbnail_settings import settings_in
from workers.gpu.loading.choice import keeps_thumbnails
from workers.gpu.loading.loader import LoaderHere
from workers.gpu.loading.picture_loader import Inputs
from workers.inference.embedders.embedder import Embedder


def of_a_stack(settings: Settings, clip: str = "models/shapes-clip", broker: str = "embedded") -> Settings:
    models = settings.models.model_copy(update={"clip": clip})
    return settings.model_copy(
        update={"models": models, "broker": settings.broker.model_copy(update={"url": broker})},
    )


def test_a_small_picture_of_a_decoded_file_is_kept_by_its_content(tmp_path: Path, clip: Embedder) -> None:
    settings = of_a_stack(settings_in(tmp_path))
    data = encoded(quarters(1200, 800), "JPEG")
    content = Content(data, hashlib.sha256(data).hexdigest(), 0)
    loader = LoaderHere(settings, keeps_thumbnails=True)
    picture = loader.files.load(content, Inputs(clip.model_input), loader.time_limit("a.jpg"))
    loader.close()
    assert isinstance(picture, Picture)
    kept = ThumbnailStore(settings).get(content.sha256, 256)
    assert kept is not None
    with Image.open(io.BytesIO(kept)) as small:
        assert (small.format, small.size) == ("WEBP", (256, 171))
    assert picture.small is None, "the pixels do not stay in memory until the file is stored"


@pytest.mark.parametrize(
    ("place", "clip", "broker", "expected"),
    [
        ("auto", "models/shapes-clip", "embedded", True),
        ("auto", "models/shapes-clip", "redis://other", False),
        ("auto", "null", "embedded", False),
        ("/volume", "null", "embedded", True),
        ("/volume", "models/shapes-clip", "redis://other", True),
        ("none", "models/shapes-clip", "embedded", False),
    ],
)
def test_small_pictures_are_made_where_somebody_will_look_for_them(
    tmp_path: Path, place: str, clip: str, broker: str, expected: bool
) -> None:
    settings = of_a_stack(settings_in(tmp_path, place=place), clip, broker)
    assert keeps_thumbnails(settings) == expected
