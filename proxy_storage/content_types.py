"""The content type of a file, as far as its name tells."""

import mimetypes

# says nothing about the content, and nosniff keeps the browser from guessing
UNKNOWN_CONTENT_TYPE = "application/octet-stream"


def guess_content_type(name: str) -> str:
    """Return the type that a name stands for.

    What the uploading browser says of a type is not asked: it is the uploader's claim.
    A compressed file is what it is, not its content: ``notes.txt.gz`` arrives packed.

    >>> guess_content_type("cv.pdf")
    'application/pdf'
    """
    guessed, encoding = mimetypes.guess_type(name, strict=True)
    return UNKNOWN_CONTENT_TYPE if guessed is None or encoding is not None else guessed
