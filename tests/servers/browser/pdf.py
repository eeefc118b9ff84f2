"""A PDF of several pages for the tests, large enough for requests of its parts."""

import random


def make_pdf(words, media_box="0 0 300 400"):
    """Return a PDF with a page for each word, with the word and a picture of random pixels."""
    size, pixels = 150, random.Random(0)
    count = len(words)
    # PDF.js reads all page objects at first, so they come before the pictures.
    first_page, font, first_part = 3, 3 + count, 4 + count
    kids = " ".join(f"{first_page + number} 0 R" for number in range(count))
    objects = {
        1: b"<</Type/Catalog/Pages 2 0 R>>",
        2: f"<</Type/Pages/Kids[{kids}]/Count {count}>>".encode(),
        font: b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    }
    for number, word in enumerate(words):
        content, picture = first_part + 2 * number, first_part + 2 * number + 1
        objects[first_page + number] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[{media_box}]/Contents {content} 0 R"
            f"/Resources<</Font<</F {font} 0 R>>/XObject<</P {picture} 0 R>>>>>>"
        ).encode()
        text = f"BT /F 24 Tf 50 350 Td ({word}) Tj ET q 200 0 0 200 50 50 cm /P Do Q"
        objects[content] = make_stream("", text.encode())
        keys = f"/Type/XObject/Subtype/Image/Width {size}/Height {size}"
        keys += "/ColorSpace/DeviceRGB/BitsPerComponent 8"
        objects[picture] = make_stream(keys, pixels.randbytes(size * size * 3))
    return join_objects(objects)


def make_stream(keys, content):
    return f"<<{keys}/Length {len(content)}>>stream\n".encode() + content + b"\nendstream"


def join_objects(objects):
    """Return a document with these objects, and the table of their places."""
    document, places = b"%PDF-1.7\n", {}
    for number, content in sorted(objects.items()):
        places[number] = len(document)
        document += f"{number} 0 obj".encode() + content + b"endobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for _, place in sorted(places.items()))
    count = len(objects) + 1
    end = f"xref\n0 {count}\n0000000000 65535 f \n{table}"
    end += f"trailer<</Size {count}/Root 1 0 R>>\nstartxref\n{len(document)}\n%%EOF"
    return document + end.encode()
