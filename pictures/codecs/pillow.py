"""Opens a picture by one decoder of Pillow, its size checked and reserved first."""

import io

from PIL import Image

from pictures.picture import Reserve, check_size


def opened(data: bytes, format_name: str, max_pixels: int, reserve: Reserve) -> Image.Image:
    """The picture, loaded; raises LoadError if it has too many pixels, or what the decoder raises."""
    image = Image.open(io.BytesIO(data), formats=[format_name])
    check_size(*image.size, max_pixels)
    reserve(image.width * image.height)
    image.load()
    return image
