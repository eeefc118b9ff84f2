"""Limits for uploaded pictures, and the scaled copy of a picture.

The content of a picture is hostile: it may declare billions of pixels in a few bytes, or crash a
decoder. So the header is read first, and only a few formats are decoded.
"""

import io
from typing import IO, Any

from django.core.exceptions import ValidationError
from PIL import Image, ImageOps

#: The MIME types of pictures that can be uploaded, and Pillow's names of their formats.
MIME_TYPES = ["image/jpeg", "image/png", "image/webp"]
FORMATS = ["JPEG", "PNG", "WEBP"]
MAX_PIXELS = 40_000_000
THUMBNAIL_SIZE = (320, 320)


def validate_pixels(value: Any) -> None:
    """Check the format and the number of pixels in the header of a picture.

    Raises:
        ValidationError: the file is not a picture of an accepted format, or has too many pixels.
    """
    if getattr(value, "_committed", False):
        return  # The file was checked when it was uploaded.
    try:
        value.seek(0)
        with Image.open(value, formats=FORMATS) as image:
            pixels = image.width * image.height
    except Image.DecompressionBombError:
        pixels = MAX_PIXELS + 1
    except Exception as error:  # Pillow does not document the errors of its decoders.
        raise ValidationError(
            "This is not a JPEG, PNG or WebP picture.", "not_a_picture"
        ) from error
    finally:
        value.seek(0)
    if pixels > MAX_PIXELS:
        limit = MAX_PIXELS // 1_000_000
        raise ValidationError(f"The picture has more than {limit} megapixels.", "too_many_pixels")


def scale_down(file: IO[bytes]) -> bytes:
    """Return a small JPEG of a picture, turned as its EXIF orientation requires.

    The copy does not have the metadata of the picture, which may contain a place.

    Args:
        file: the content of the picture.

    Raises:
        ValueError: the picture has too many pixels.
        Exception: the picture cannot be decoded.
    """
    with Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"The picture has more than {MAX_PIXELS} pixels.")
        image.draft("RGB", THUMBNAIL_SIZE)  # A JPEG is decoded at a smaller size.
        upright = ImageOps.exif_transpose(image)
    upright.thumbnail(THUMBNAIL_SIZE)
    rgba = upright.convert("RGBA")
    # JPEG does not have transparency.
    opaque = Image.new("RGB", rgba.size, "white")
    opaque.paste(rgba, mask=rgba.getchannel("A"))
    result = io.BytesIO()
    opaque.save(result, "JPEG", quality=85)
    return result.getvalue()
