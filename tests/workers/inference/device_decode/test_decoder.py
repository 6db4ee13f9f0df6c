"""Decoding on a device by the contract of its library, on a CPU: the same pictures as by the usual way."""

import io
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from models.scenes import Scene, draw
from pictures.decode import decode
from pictures.picture import Picture
from pictures.preprocessing import ModelInput, WholeInput
from settings import Settings, load_settings
from settings.errors import ServiceMissing
from workers.inference.device_decode import choice
from workers.inference.device_decode.choice import device_decoder
from workers.inference.device_decode.decoder import DeviceDecoder
from workers.inference.device_decode.nvimgcodec import NvImageCodec
from workers.inference.embedders.embedder import Embedder
from workers.inference.self_check import picture

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
MOST = 10**8
CLIP = ModelInput(224, 224, 224, Image.Resampling.BICUBIC, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
BLIP = ModelInput(384, 384, (384, 384), Image.Resampling.BICUBIC, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
ORIENTATION = 0x0112


class PillowCodec:
    """The contract of a codec by Pillow: whole pictures as they lie in the file, None for what it cannot decode."""

    def __init__(self, device: torch.device) -> None:
        self.batches: list[int] = []

    def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
        self.batches.append(len(files))
        return [self._decode(file) for file in files]

    def _decode(self, file: bytes) -> torch.Tensor | None:
        try:
            return torch.from_numpy(np.array(Image.open(io.BytesIO(file)).convert("RGB")))
        except OSError:
            return None


def codecs() -> list[type]:
    """The codec of the tests, and the real one, which decodes on a CPU as well, where it is installed."""
    try:
        NvImageCodec(CPU)
    except ImportError:
        return [PillowCodec]
    return [PillowCodec, NvImageCodec]


@pytest.fixture(params=codecs(), ids=lambda codec: codec.__name__)
def decoder(request: pytest.FixtureRequest) -> Iterator[DeviceDecoder]:
    made = DeviceDecoder(request.param(CPU), CPU, MOST)
    yield made
    made.close()


def photo(width: int = 1200, height: int = 900) -> Image.Image:
    return picture().resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image: Image.Image, orientation: int = 1, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", exif=exif, **{"quality": 92, **options})
    return file.getvalue()


def distance(found: np.ndarray, right: np.ndarray) -> float:
    """How far two pictures are apart, as a share of their length."""
    assert found.shape == right.shape
    assert found.dtype == right.dtype == np.uint8
    return float(np.linalg.norm(found.astype(float) - right) / np.linalg.norm(right.astype(float)))


def assert_same(found: Picture | None, right: Picture) -> None:
    assert found is not None
    assert (found.format, found.width, found.height) == (right.format, right.width, right.height)
    for name in ("clip", "blip", "text"):
        ours, theirs = getattr(found, name), getattr(right, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert distance(ours, theirs) < 0.02, name
    assert (found.small is None) == (right.small is None)
    if found.small is not None and right.small is not None:
        assert distance(np.asarray(found.small), np.asarray(right.small)) < 0.02


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_as_by_the_usual_way(decoder: DeviceDecoder, orientation: int) -> None:
    file = jpeg(photo(), orientation)
    right = decode(file, MOST, CLIP, BLIP, small=256, text=WholeInput(500))
    assert_same(decoder.decode(file, CLIP, BLIP, 256, WholeInput(500)), right)


@pytest.mark.parametrize(
    ("image", "options"),
    [
        (photo().convert("L"), {}),
        (photo(), {"progressive": True}),
        (photo(), {"subsampling": 0}),
        (photo(301, 907), {}),
        (photo(90, 70), {}),
        (photo(4000, 3000), {}),
        (photo(), {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}),
    ],
    ids=["grey", "progressive", "4:4:4", "tall", "tiny", "12 MP", "sRGB profile"],
)
def test_every_kind_that_a_device_is_given_comes_out_as_by_the_usual_way(
    decoder: DeviceDecoder, image: Image.Image, options: dict[str, Any]
) -> None:
    file = jpeg(image, **options)
    assert_same(decoder.decode(file, CLIP, BLIP, 256), decode(file, MOST, CLIP, BLIP, small=256))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


WHOLE = jpeg(photo())
HALF_GREY = Image.new("RGB", (400, 400), (128, 128, 128))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\xff\xd8\xff no picture",
        WHOLE[: len(WHOLE) // 2],
        WHOLE[:-2],
        jpeg(photo().convert("CMYK")),
        jpeg(HALF_GREY),
        png(photo()),
        jpeg(photo(9000, 8000), quality=5),
    ],
    ids=["empty", "none", "cut", "no end", "CMYK", "grey at its end", "PNG", "72 MP"],
)
def test_what_needs_care_is_the_cpu_s(decoder: DeviceDecoder, file: bytes) -> None:
    assert decoder.decode(file, CLIP, BLIP) is None


def test_what_is_broken_inside_is_refused_or_as_the_cpu_has_it(decoder: DeviceDecoder) -> None:
    middle = len(WHOLE) // 2
    file = WHOLE[:middle] + bytes(300) + WHOLE[middle + 300 :]
    found = decoder.decode(file, CLIP, BLIP)
    if found is not None:
        assert_same(found, decode(file, MOST, CLIP, BLIP))


def test_colours_of_another_profile_are_the_cpu_s(decoder: DeviceDecoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.inference.device_decode.headers.is_srgb", lambda mode, profile: profile is None)
    assert decoder.decode(jpeg(photo(), icc_profile=b"wide"), CLIP) is None
    assert decoder.decode(WHOLE, CLIP) is not None


def test_a_filter_that_torch_lacks_and_a_crop_beyond_the_edge_are_the_cpu_s(decoder: DeviceDecoder) -> None:
    for target in (
        ModelInput(224, 224, 224, Image.Resampling.LANCZOS, CLIP.mean, CLIP.std),
        ModelInput(224, 224, 200, Image.Resampling.BICUBIC, CLIP.mean, CLIP.std),
    ):
        assert decoder.decode(WHOLE, target) is None


def test_embeddings_are_those_of_the_usual_way(decoder: DeviceDecoder, scenes: list[Scene], clip: Embedder) -> None:
    files = [jpeg(draw(scene, random.Random(number), 700)) for number, scene in enumerate(scenes[:12])]
    target = clip.model_input
    found = [decoder.decode(file, target) for file in files]
    right = [decode(file, MOST, target, None).clip for file in files]
    ours = clip.embed_pictures([each.clip for each in found if each is not None])
    assert (ours * clip.embed_pictures(right)).sum(axis=1).min() > 0.99


def test_pictures_that_wait_are_decoded_together_and_each_is_its_own(scenes: list[Scene]) -> None:
    codec = PillowCodec(CPU)
    decoder = DeviceDecoder(codec, CPU, MOST)
    files = [jpeg(draw(scene, random.Random(number), 300)) for number, scene in enumerate(scenes[:8])]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda file: decoder.decode(file, CLIP), files * 4))
    decoder.close()
    assert sum(codec.batches) == 32
    assert max(codec.batches) > 1
    for file, each in zip(files * 4, found, strict=True):
        assert_same(each, decode(file, MOST, CLIP, None))


def test_a_device_that_fails_is_said_once_and_leaves_pictures_to_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(PillowCodec):
        def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
            super().decode(files)
            raise RuntimeError("CUDA error: an illegal memory access was encountered")

    codec = Failing(CPU)
    decoder = DeviceDecoder(codec, CPU, MOST)
    assert [decoder.decode(WHOLE, CLIP) for _ in range(3)] == [None] * 3
    decoder.close()
    assert codec.batches == [1], "afterwards it is not asked again"
    assert [line.getMessage() for line in caplog.records] == [
        "the device does not decode pictures (CUDA error: an illegal memory access was encountered): the CPU does"
    ]


def test_a_picture_for_which_the_device_has_no_memory_is_the_cpu_s_and_the_next_one_its_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Small(PillowCodec):
        def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
            if len(self.batches) == 0:
                self.batches.append(0)
                raise torch.OutOfMemoryError("CUDA out of memory")
            return super().decode(files)

    decoder = DeviceDecoder(Small(CPU), CPU, MOST)
    assert decoder.decode(WHOLE, CLIP) is None
    assert decoder.decode(WHOLE, CLIP) is not None
    decoder.close()
    assert caplog.records == []


def with_decode(where: str) -> Settings:
    settings = load_settings()
    return settings.model_copy(update={"gpu": settings.gpu.model_copy(update={"decode": where})})


class Absent(PillowCodec):
    """A library that is not installed."""

    def __init__(self, device: torch.device) -> None:
        raise ImportError("No module named 'nvidia'")


class Blind(PillowCodec):
    """One that decodes nothing here."""

    def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
        return [None] * len(files)


class Wrong(PillowCodec):
    """One that mixes up colours."""

    def _decode(self, file: bytes) -> torch.Tensor | None:
        pixels = super()._decode(file)
        return None if pixels is None else pixels.flip(-1)


@pytest.fixture
def cpu_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU passes for a CUDA device where that is asked."""
    monkeypatch.setattr(choice, "_is_cuda", lambda device: True)


@pytest.mark.usefixtures("cpu_for_cuda")
def test_a_library_is_used_only_if_a_picture_comes_out_as_from_the_cpu() -> None:
    made = device_decoder(with_decode("auto"), CPU, CLIP, PillowCodec)
    assert made is not None
    made.close()
    assert device_decoder(with_decode("cpu"), CPU, CLIP, PillowCodec) is None
    reasons = {
        Absent: "nvImageCodec is not installed",
        Blind: "nvImageCodec decodes no JPEG here",
        Wrong: "nvImageCodec's pixels differ from the CPU's by ",
    }
    for codec, reason in reasons.items():
        assert device_decoder(with_decode("auto"), CPU, CLIP, codec) is None
        with pytest.raises(ServiceMissing, match=reason):
            device_decoder(with_decode("cuda"), CPU, CLIP, codec)


def test_on_another_device_the_cpu_decodes_and_asking_for_more_is_one_sentence() -> None:
    assert device_decoder(with_decode("auto"), CPU, CLIP, PillowCodec) is None
    with pytest.raises(ServiceMissing, match=r'^gpu.decode = "cuda" cannot be done: the device of this worker is not'):
        device_decoder(with_decode("cuda"), CPU, CLIP, PillowCodec)
