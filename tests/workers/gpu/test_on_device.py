"""Files whose JPEGs are decoded on the device: all are accounted for, and each has its own vector and facts."""

import random
from pathlib import Path

import pytest
import redis
import torch

from models.scenes import Scene, draw
from pictures.decode import decode
from pictures.picture import Picture
from pictures.preprocessing import PictureInput
from settings import Settings, load_settings
from settings.errors import ServiceMissing
from tasks.messages import FileItem
from tests.workers.gpu.bench import Bench
from tests.workers.inference.device_decode.test_decoder import PillowCodec, with_decode
from workers.checkpoints.lazy import Lazy
from workers.inference.device_decode import choice, lazy_decoder
from workers.inference.device_decode.choice import device_decoder
from workers.inference.device_decode.decoder import DeviceDecoder
from workers.inference.device_decode.lazy_decoder import LazyDecoder, may_decode
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")


class Noted(LazyDecoder):
    """A decoder by Pillow that passes for one of CUDA, and what it was given and gave."""

    def __init__(self, settings: Settings, clip: Embedder) -> None:
        super().__init__(settings, Lazy(lambda: CPU), clip)
        self.given: list[Picture | None] = []

    def __call__(
        self,
        data: bytes,
        clip: PictureInput,
        blip: PictureInput | None,
        small: int | None,
        text: PictureInput | None,
    ) -> Picture | None:
        made = super().__call__(data, clip, blip, small, text)
        self.given.append(made)
        return made


@pytest.fixture
def pillow_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's codec in the place of nvImageCodec, and the CPU in that of a CUDA device."""

    def by_pillow(settings: Settings, device: torch.device, clip: PictureInput) -> DeviceDecoder | None:
        return device_decoder(settings, device, clip, PillowCodec)

    monkeypatch.setattr(choice, "_is_cuda", lambda device: True)
    monkeypatch.setattr(choice, "device_decoder", by_pillow)


@pytest.mark.usefixtures("pillow_for_cuda")
def test_jpegs_are_the_device_s_and_all_else_the_cpu_s_and_every_file_is_accounted_for(
    client: redis.Redis, clip: Embedder, scenes: list[Scene], tmp_path: Path
) -> None:
    files = []
    for number, scene in enumerate(scenes[:24]):
        path = tmp_path / f"{number:02d}.{('jpg', 'png', 'jpg', 'webp')[number % 4]}"
        draw(scene, random.Random(number), 192).save(path, quality=92)
        files.append(FileItem(100 + number, path.as_uri()))
    cut = tmp_path / "00.jpg"
    cut.write_bytes(cut.read_bytes()[:1000])
    on_device = Noted(load_settings(), clip)
    bench = Bench(clip, None, client, lambda shas: [None] * len(shas), on_device=on_device)
    bench.process_each(files)
    bench.pipeline.close()
    assert set(bench.failures) == {100}
    assert len(on_device.given) == 24
    assert sum(made is not None for made in on_device.given) == 11, "twelve JPEGs, of which one is cut off"
    assert set(bench.rows) == {item.number for item in files[1:]}
    for item in files[1:]:
        vector, payload, _ = bench.rows[item.number]
        data = (tmp_path / payload["name"]).read_bytes()
        right = decode(data, 10**6, clip.model_input, None)
        assert (payload["format"], payload["width"], payload["height"]) == (right.format, right.width, right.height)
        assert payload["bytes"] == len(data)
        assert float(vector @ clip.embed_pictures([right.clip])[0]) > 0.99


def test_only_cuda_with_its_library_is_asked_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for is_installed in (True, False):
        monkeypatch.setattr(lazy_decoder, "_is_installed", lambda is_installed=is_installed: is_installed)
        assert may_decode(with_decode("auto"), "cuda") is is_installed
        assert not may_decode(with_decode("auto"), "cpu")
        settings = with_decode("auto")
        asked = settings.gpu.model_copy(update={"loader_processes": 4})
        assert not may_decode(settings.model_copy(update={"gpu": asked}), "cuda"), "processes are asked for"
        assert not may_decode(with_decode("cpu"), "cuda")
        assert may_decode(with_decode("cuda"), "cpu"), "and is told why not when it is loaded"


def test_what_cannot_be_done_is_told_when_it_is_loaded(clip: Embedder) -> None:
    with pytest.raises(ServiceMissing, match=r'^gpu.decode = "cuda" cannot be done: '):
        LazyDecoder(with_decode("cuda"), Lazy(lambda: CPU), clip).load()
    left_to_the_cpu = LazyDecoder(with_decode("auto"), Lazy(lambda: CPU), clip)
    left_to_the_cpu.load()
    assert left_to_the_cpu(b"", clip.model_input, None, None, None) is None
    left_to_the_cpu.close()
