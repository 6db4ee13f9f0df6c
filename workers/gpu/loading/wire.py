"""What a GPU worker and a loader process of its own say to each other: msgpack over a socket pair, a list a message.

    to the loader    ["read", room, dropped, [[token, group, root, uri, may have a sidecar], ...]]
                     ["load", dropped, [inputs, ...], [[token, root, uri, may have a sidecar, sha256, number, offsets]]]
                     ["decode", data, inputs, offsets]
    from the loader  ["reserve", place, bytes], answered by True or False; then
                     ["done", [answer, ...]], one for each file, each packed by itself

`token` names the bytes of a file that the loader keeps from "read" to "load"; those that are `dropped` are not loaded
any more. `number` is the place of the inputs that a file is decoded for, none where its facts are enough. A file for
whose group there was no room before has no answer. `offsets` say where in the shared slots its pixels go, one for each
input.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import msgpack

from pictures.picture import LoadError, NotReachable, Picture
from pictures.preprocessing import ModelInput, PictureInput, WholeInput
from workers.gpu.loading.memory_budget import NoRoom
from workers.gpu.loading.picture_loader import Inputs


def packed(message: Any) -> bytes:
    """A message as bytes; texts may have what is no Unicode, as names of files may."""
    data: bytes = msgpack.packb(message, unicode_errors="surrogatepass")
    return data


def unpacked(data: bytes) -> Any:
    """What `packed` wrote; tuples have become lists."""
    return msgpack.unpackb(data, unicode_errors="surrogatepass", strict_map_key=False)


def inputs_to_wire(inputs: Inputs | None) -> list[Any] | None:
    """What pictures are loaded for, as a list."""
    if inputs is None:
        return None
    return [target and [getattr(target, field.name) for field in fields(target)] for target in targets(inputs)]


def inputs_from_wire(wire: Sequence[Any] | None) -> Inputs | None:
    """Read what `inputs_to_wire` wrote."""
    if wire is None:
        return None
    clip, blip, text = (_target(each) for each in wire)
    assert clip is not None
    return Inputs(clip, blip, text)


def targets(inputs: Inputs) -> tuple[PictureInput, PictureInput | None, PictureInput | None]:
    """Embedder, captioner, who reads text: the order in which their pixels are written."""
    return inputs.clip, inputs.blip, inputs.text


def _target(wire: Sequence[Any] | None) -> PictureInput | None:
    if wire is None:
        return None
    if len(wire) == 1:
        return WholeInput(wire[0])
    width, height, edge, resample, mean, std = wire
    red, green, blue = mean
    return ModelInput(
        width, height, tuple(edge) if isinstance(edge, list) else edge, resample, (red, green, blue), tuple(std)
    )


def error_to_wire(error: LoadError | NoRoom) -> list[Any]:
    """An error that one file has failed with."""
    if isinstance(error, NoRoom):
        return ["no room", error.size]
    if isinstance(error, NotReachable):
        return ["not reachable", error.reason]
    return ["failed", error.stage, error.reason, error.file]


def error_from_wire(wire: Sequence[Any]) -> LoadError | NoRoom | None:
    """Read what `error_to_wire` wrote; None for an answer that is no error."""
    if wire[0] == "no room":
        return NoRoom(wire[1])
    if wire[0] == "not reachable":
        return NotReachable(wire[1])
    if wire[0] == "failed":
        stage, reason, file = wire[1:]
        return LoadError(stage, reason, file and (file[0], file[1]))
    return None


def picture_to_wire(picture: Picture, seconds: float) -> list[Any]:
    """A picture without its pixels, of which only the shapes are told."""
    shapes = [None if pixels is None else pixels.shape for pixels in (picture.clip, picture.blip, picture.text)]
    return ["picture", seconds, picture.format, picture.width, picture.height, picture.facts, shapes]
