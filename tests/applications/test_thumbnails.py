"""Thumbnails in the proxy storage of their source: easy-thumbnails, imagekit, sorl, versatile."""

import pytest
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import transaction
from easy_thumbnails.files import get_thumbnailer
from PIL import Image
from sorl.thumbnail import delete as delete_sorl
from sorl.thumbnail import get_thumbnail
from sorl.thumbnail.models import KVStore

from proxy_storage_permissions import CanReadSource, get_easy_thumbnails_source, may_read
from tests.applications.files import make_image
from tests.applications.models import Picture, VersatilePicture
from tests.applications.permissions import OwnPictures


def make_picture(owner):
    return Picture.objects.create(user=owner, image=make_image())


def make_versatile_picture(owner):
    return VersatilePicture.objects.create(image=make_image())


def use_easy_thumbnails(picture):
    return get_thumbnailer(picture.image).get_thumbnail({"size": (10, 10), "crop": True}).name


def use_imagekit(picture):
    picture.small.generate()
    return picture.small.name


def use_sorl(picture):
    return get_thumbnail(picture.image, "10x10", crop="center", format="PNG").name


def use_versatile(picture):
    return picture.image.crop["10x10"].name


LIBRARIES = {
    "easy-thumbnails": (make_picture, use_easy_thumbnails),
    "imagekit": (make_picture, use_imagekit),
    "sorl": (make_picture, use_sorl),
    "versatileimagefield": (make_versatile_picture, use_versatile),
}


@pytest.fixture(params=LIBRARIES)
def library(request):
    return LIBRARIES[request.param]


@pytest.fixture
def picture(library, owner):
    return library[0](owner)


@pytest.fixture
def thumbnail(library, picture):
    """The name of a new thumbnail of the picture."""
    return library[1](picture)


def forget_thumbnails(picture):
    """Empty the caches of the libraries outside of the storage; return the picture."""
    cache.clear()
    KVStore.objects.all().delete()
    return type(picture).objects.get(pk=picture.pk)


def test_a_thumbnail_is_made_beside_its_source(picture, thumbnail, media):
    assert set(media()) == {picture.image.name, thumbnail}
    with default_storage.open(thumbnail) as file, Image.open(file) as image:
        assert image.size == (10, 10)


def test_a_thumbnail_is_found_by_the_next_process(library, picture, thumbnail, media):
    modified = default_storage.get_modified_time(thumbnail)
    assert library[1](forget_thumbnails(picture)) == thumbnail
    assert set(media()) == {picture.image.name, thumbnail}
    assert default_storage.get_modified_time(thumbnail) == modified


def test_a_thumbnail_is_written_once(library, picture, thumbnail, records):
    before = list(records.order_by("pk").values())
    assert len(before) == 2
    library[1](forget_thumbnails(picture))
    assert list(records.order_by("pk").values()) == before


def test_a_thumbnail_has_no_content_object_and_is_for_staff(
    picture, thumbnail, records, owner, stranger, client, staff_client
):
    record = records.get(path=thumbnail)
    assert (record.content_type_id, record.object_id, record.field) == (None, None, None)
    url = default_storage.url(thumbnail)
    assert staff_client.get(url).status_code == 200
    for user in (owner, stranger):
        client.force_login(user)
        assert client.get(url).status_code == 403


@pytest.mark.parametrize(
    ("basedir", "subdir", "prefix"), [("", "", ""), ("thumbs", "", ""), ("a/b", "made", "t_")]
)
def test_the_picture_of_an_easy_thumbnail_is_found(
    owner, stranger, settings, basedir, subdir, prefix
):
    settings.THUMBNAIL_BASEDIR, settings.THUMBNAIL_SUBDIR = basedir, subdir
    settings.THUMBNAIL_PREFIX = prefix
    picture = make_picture(owner)
    record = default_storage.get_meta_backend_obj(use_easy_thumbnails(picture))
    assert get_easy_thumbnails_source(record) == picture.image.name
    rules = [CanReadSource(get_easy_thumbnails_source, OwnPictures)]
    assert may_read(owner, record, permission_classes=rules)
    assert not may_read(stranger, record, permission_classes=rules)


def test_easy_thumbnails_deletes_thumbnails(owner, media):
    picture = make_picture(owner)
    assert use_easy_thumbnails(picture) in media()
    assert get_thumbnailer(picture.image).delete_thumbnails() == 1
    assert set(media()) == {picture.image.name}


def test_sorl_deletes_thumbnails_with_their_source(owner, media):
    picture = make_picture(owner)
    assert use_sorl(picture) in media()
    delete_sorl(picture.image)
    assert media() == {}


def test_versatileimagefield_deletes_thumbnails(owner, media):
    picture = make_versatile_picture(owner)
    assert use_versatile(picture) in media()
    picture.image.delete_all_created_images()
    assert set(media()) == {picture.image.name}


def test_easy_thumbnails_writes_a_thumbnail_again_in_a_transaction(
    owner, media, django_capture_on_commit_callbacks
):
    picture = make_picture(owner)
    name = use_easy_thumbnails(picture)
    thumbnailer = get_thumbnailer(picture.image)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        thumbnail = thumbnailer.generate_thumbnail({"size": (10, 10), "crop": True})
        thumbnailer.save_thumbnail(thumbnail)
    assert thumbnail.name == name
    assert set(media()) == {picture.image.name, name}
