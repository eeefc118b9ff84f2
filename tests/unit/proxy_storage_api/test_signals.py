"""The signals file_served and file_refused."""

import logging

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from jobs.models import JobApply
from proxy_storage.serving import StreamingServer
from proxy_storage_api.signals import file_refused, file_served
from proxy_storage_api.viewsets import FileViewSet

pytestmark = [
    pytest.mark.usefixtures("empty_storages"),
    pytest.mark.django_db(databases=["default", "other"]),
]


@pytest.fixture
def application(log_in):
    application = JobApply(user=log_in("messi").user)
    application.resume.save("messi_resume.txt", ContentFile(b"resume"))
    return application


@pytest.fixture
def sent():
    """The signals that were sent. The receivers are disconnected afterwards."""
    received = []

    def receive(signal, sender, **kwargs):
        received.append((signal, sender, kwargs))

    for signal in (file_served, file_refused):
        signal.connect(receive)
    yield received
    for signal in (file_served, file_refused):
        signal.disconnect(receive)


@pytest.fixture
def broken():
    def receive(**kwargs):
        raise RuntimeError("no place to write")

    for signal in (file_served, file_refused):
        signal.connect(receive)
    yield
    for signal in (file_served, file_refused):
        signal.disconnect(receive)


def test_file_served_is_sent(application, log_in, sent):
    response = log_in("messi").get(application.resume.url)
    ((signal, sender, kwargs),) = sent
    assert signal is file_served
    assert sender is FileViewSet
    assert kwargs["request"].user.username == "messi"
    assert kwargs["record"]["path"] == "/messi_resume.txt"
    assert kwargs["record"].get_content_object() == application
    assert isinstance(kwargs["server"], StreamingServer)
    assert kwargs["response"].status_code == response.status_code == 200
    response.close()


def test_authorize_sends_file_served_without_server(application, log_in, sent):
    log_in("messi").get("/files/authorize/", {"path": application.resume.name})
    ((signal, _, kwargs),) = sent
    assert signal is file_served
    assert kwargs["server"] is None


@pytest.mark.parametrize(
    ("url", "action"),
    [("/files/", "download"), ("/files/record/", "retrieve"), ("/files/authorize/", "authorize")],
)
def test_file_refused_is_sent_and_logged(application, log_in, sent, caplog, url, action):
    ronaldo = log_in("ronaldo")
    with caplog.at_level(logging.WARNING, "proxy_storage_api"):
        ronaldo.get(url, {"path": application.resume.name, "signature": "secret"})
    ((signal, sender, kwargs),) = sent
    assert signal is file_refused
    assert sender is FileViewSet
    assert kwargs["request"].user == ronaldo.user
    assert kwargs["record"]["path"] == "/messi_resume.txt"
    assert kwargs["action"] == action
    (message,) = [r.getMessage() for r in caplog.records if r.name == "proxy_storage_api"]
    assert message == (
        f"{action} of '/messi_resume.txt' was refused to user {ronaldo.user.pk} by "
        "JobApplyFiles['resume'] (IsOwner('user'), IsAdminUser, HasValidSignature)."
    )


def test_line_breaks_of_a_path_are_escaped_in_the_log(log_in, caplog):
    storage = JobApply._meta.get_field("resume").storage
    path = storage.save("a.txt", ContentFile(b""))
    storage.meta_backend.update(path, {"path": "/a\nb.txt"})
    Client().get("/files/", {"path": "/a\nb.txt"})
    (message,) = [r.getMessage() for r in caplog.records if r.name == "proxy_storage_api"]
    assert message == (
        r"download of '/a\nb.txt' was refused to an anonymous user by JobApplyFiles."
    )


@pytest.mark.parametrize("path", ["/nothing.txt", ""])
def test_no_signal_for_missing_files(log_in, sent, path):
    log_in("ronaldo").get("/files/", {"path": path})
    assert sent == []


@pytest.mark.usefixtures("broken")
def test_error_of_a_receiver_prevents_the_delivery(application, log_in):
    client = log_in("messi", raise_request_exception=False)
    assert client.get(application.resume.url).status_code == 500


@pytest.mark.usefixtures("broken")
def test_error_of_a_receiver_does_not_change_a_refusal(application, log_in):
    assert log_in("ronaldo").get(application.resume.url).status_code == 403
