"""The form of an application: errors, hostile names and hostile pictures."""

import io
import struct
import zlib

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from jobs.models import MAX_FILE_SIZE, JobApply
from proxy_storage.records.models import StoredFile
from tests.unit.example.conftest import read


def apply(client, form, **headers):
    return client.post("/apply/", form, headers=headers)


def get_last():
    return JobApply.objects.latest("pk")


def get_thumbnail(client, file):
    return read(client.get("/files/", {"path": f"thumbs/{file.name}.jpg"}))


def make_png_header(width, height):
    """A PNG of a few bytes that declares any number of pixels."""

    def chunk(kind, data):
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(b"\0" * 9))
        + chunk(b"IEND", b"")
    )


def test_application_is_saved(clients, form):
    response = apply(clients["messi"], form)
    application = get_last()
    assert response["Location"] == application.get_absolute_url()
    assert application.user.username == "messi"
    assert not application.certificate
    assert read(clients["messi"].get(application.resume.url)) == b"Forward."


def test_script_gets_json(clients, form):
    answer = apply(clients["messi"], form, Accept="application/json")
    assert answer.status_code == 201
    assert answer.json() == {"url": get_last().get_absolute_url()}
    answer = apply(clients["messi"], {}, Accept="application/json")
    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == {"what_you_want", "resume", "avatar"}


def test_log_in_is_required(clients, form):
    count = JobApply.objects.count()
    assert apply(clients["anonymous"], form)["Location"] == "/login/?next=/apply/"
    assert JobApply.objects.count() == count


@pytest.mark.parametrize(
    ("field", "name", "content", "error"),
    [
        ("resume", "cv.html", b"<script>", "text/html are not allowed"),
        ("resume", "cv", b"x", "are not allowed"),
        ("resume", "cv.txt", b"x" * (MAX_FILE_SIZE + 1), "larger than 5.0"),
        ("resume", "cv.txt", b"", "empty"),
        ("avatar", "me.png", b"not a picture", "not a picture, or it is damaged"),
        ("avatar", "me.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        ("certificate", "c.png", b"not a picture", "not a picture, or it is damaged"),
    ],
)
def test_errors_beside_the_fields(clients, form, field, name, content, error):
    count = JobApply.objects.count()
    response = apply(clients["messi"], {**form, field: SimpleUploadedFile(name, content)})
    assert response.status_code == 200
    page = response.content.decode()
    part = page.partition(f'data-field="{field}"')[2].partition("</div>")[0]
    assert error in part.replace("\xa0", " ")
    assert JobApply.objects.count() == count


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_other_formats_with_the_name_of_an_accepted_one(clients, form, make_picture, image_format):
    picture = SimpleUploadedFile("me.png", make_picture(image_format=image_format))
    page = apply(clients["messi"], {**form, "avatar": picture}).content.decode()
    assert "This is not a JPEG, PNG or WebP picture." in page


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(8000, 6000), (12000, 12000), (60000, 60000), (2**31 - 1, 9)])
def test_picture_that_declares_too_many_pixels(clients, form, size):
    bomb = SimpleUploadedFile("me.png", make_png_header(*size))
    count = JobApply.objects.count()
    page = apply(clients["messi"], {**form, "avatar": bomb}).content.decode()
    assert "errorlist" in page
    assert JobApply.objects.count() == count


def test_picture_that_cannot_be_decoded_is_saved_without_thumbnail(clients, form, caplog):
    """The header is valid, so that the form accepts it."""
    broken = make_png_header(100, 100)
    response = apply(clients["messi"], {**form, "avatar": SimpleUploadedFile("me.png", broken)})
    assert response.status_code == 302
    application = get_last()
    assert f"{application.avatar.name!r} has no thumbnail" in caplog.text
    assert clients["messi"].get("/").status_code == 200
    assert read(clients["messi"].get(application.avatar.url)) == broken


@pytest.mark.parametrize(
    ("image_format", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "I;16"), ("JPEG", "CMYK")]
)
def test_thumbnail_of_each_mode(clients, form, make_picture, image_format, mode):
    color = {} if mode == "I;16" else {"mode": mode}
    picture = make_picture(image_format=image_format, **color)
    name = f"me.{image_format.lower()}"
    apply(clients["messi"], {**form, "avatar": SimpleUploadedFile(name, picture)})
    thumbnail = Image.open(io.BytesIO(get_thumbnail(clients["anonymous"], get_last().avatar)))
    assert thumbnail.format == "JPEG"
    assert thumbnail.size == (320, 160)


def test_thumbnail_is_upright_and_has_no_metadata(clients, form, make_picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "maker of the camera"
    picture = make_picture(image_format="JPEG", exif=exif)
    apply(clients["messi"], {**form, "avatar": SimpleUploadedFile("me.jpg", picture)})
    content = get_thumbnail(clients["anonymous"], get_last().avatar)
    assert Image.open(io.BytesIO(content)).size == (160, 320)
    assert b"maker" not in content


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>.png",
        "\"onload='x' .png",
        "thumbs/x.png.jpg",
        "日本 é #1 100%25.png",
        "..png",
        "a" * 200 + ".png",
    ],
)
def test_hostile_names(clients, form, make_picture, name):
    picture = SimpleUploadedFile("x.png", make_picture())
    picture._name = name
    response = apply(clients["messi"], {**form, "certificate": picture})
    assert response.status_code in (200, 302)
    if response.status_code == 302:
        application = get_last()
        for url in ("/", "/my-files/", application.get_absolute_url()):
            page = clients["messi"].get(url).content.decode()
            assert "<script>alert" not in page
            assert "\"onload='x'" not in page
        assert clients["ronaldo"].get(application.certificate.url).status_code == 403
        assert read(clients["messi"].get(application.certificate.url)) == make_picture()


def test_picture_with_the_name_of_a_thumbnail(clients, ronaldo, form, make_picture):
    """A user cannot replace the thumbnail of another user's picture."""
    path = f"thumbs/{ronaldo.avatar.name}.jpg"
    before = get_thumbnail(clients["anonymous"], ronaldo.avatar)
    picture = SimpleUploadedFile("x.jpg", make_picture(image_format="JPEG"))
    picture._name = path
    apply(clients["messi"], {**form, "avatar": picture})
    assert get_thumbnail(clients["anonymous"], ronaldo.avatar) == before
    assert StoredFile.objects.get(path=path).content_type_id is None
