"""Images for tests."""

import io

from PIL import Image


def make_png(width, height):
    """Return the bytes of an image of this size."""
    image = io.BytesIO()
    Image.new("RGB", (width, height)).save(image, "PNG")
    return image.getvalue()
