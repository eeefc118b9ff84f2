"""Uploads that serializers attach to documents."""

from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework import serializers
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet

from proxy_storage_api.references import FileReferenceField
from tests.testapp.models import Document

STORAGES = {
    "orm_file": "orm_disk",
    "mongo_file": "mongo_gridfs",
    "orm_image": "orm_disk",
    "mongo_image": "mongo_disk",
}
ACTIONS = {"get": "retrieve", "post": "create", "put": "update", "patch": "partial_update"}


class DocumentSerializer(serializers.ModelSerializer):
    orm_file = FileReferenceField(required=False, allow_null=True, allow_blank=True)
    mongo_file = FileReferenceField(required=False, allow_null=True, allow_blank=True)

    class Meta:
        model = Document
        fields = ["title", "orm_file", "mongo_file"]


class DocumentViewSet(ModelViewSet):
    queryset = Document.objects.order_by("pk")
    serializer_class = DocumentSerializer


def get_user(name):
    return User.objects.get_or_create(username=name)[0]


def upload(user, field, name="cv.txt", content=b"content"):
    """Upload a file as a user, and return the answer."""
    client = Client()
    if user is not None:
        client.force_login(user)
    data = {"storage": STORAGES[field], "file": SimpleUploadedFile(name, content)}
    response = client.post("/files/", data)
    assert response.status_code == 201
    return response.json()


def send(user, method, data=None, pk=None, view_set=DocumentViewSet):
    """Send a request to the API of documents as a user, and return the rendered response."""
    request = getattr(APIRequestFactory(), method)("/", data, format="json")
    force_authenticate(request, user)
    return view_set.as_view(ACTIONS)(request, **({} if pk is None else {"pk": pk})).render()


def get_record(field, path):
    return Document._meta.get_field(field).storage.meta_backend.get(path)
