"""djangorestframework-simplejwt: files, lists and links with a token instead of a session."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import AccessToken

from proxy_storage_api.viewsets import FileViewSet
from tests.applications.files import make_image
from tests.applications.models import Picture


@pytest.fixture(autouse=True)
def authentication(monkeypatch):
    """Authenticate by tokens. Views read DRF's setting when they are imported."""
    monkeypatch.setattr(FileViewSet, "authentication_classes", [JWTAuthentication])


@pytest.fixture
def picture(owner):
    picture = Picture(user=owner)
    content = make_image()
    picture.image.save("cat.png", content)
    return picture


def send(client, method, path, user, **kwargs):
    token = AccessToken.for_user(user)
    return getattr(client, method)(path, headers={"Authorization": f"Bearer {token}"}, **kwargs)


def test_only_the_token_of_the_owner_opens_the_file(client, picture, owner, stranger):
    url = picture.image.url
    answer = send(client, "get", url, owner)
    assert answer.status_code == 200
    assert b"".join(answer) == make_image().read()
    assert send(client, "get", url, stranger).status_code == 403
    answer = client.get(url)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


def test_lists_and_records(client, picture, owner, stranger):
    paths = [
        [record["path"] for record in send(client, "get", "/files/", user).json()["results"]]
        for user in (owner, stranger)
    ]
    assert paths == [[picture.image.name], []]
    record = f"/files/record/?path={picture.image.name}"
    assert send(client, "get", record, owner).json()["field"] == "image"
    assert send(client, "get", record, stranger).status_code == 403


def test_an_expired_token_and_one_of_a_deleted_user(client, picture, owner):
    token = AccessToken.for_user(owner)
    token.set_exp(lifetime=-timedelta(seconds=1))
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(picture.image.url, headers=headers).status_code == 401
    token = AccessToken.for_user(owner)
    User.objects.filter(pk=owner.pk).delete()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get(picture.image.url, headers=headers).status_code == 401
