import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from storages.backends.s3 import S3Storage

from demo.services import free_port
from proxy_storage.original_storages.failures import describe_failure, describe_missing_file
from proxy_storage.original_storages.s3 import get_bucket_problem, get_error_code


class ResponseError(Exception):
    def __init__(self, response):
        self.response = response


def test_missing_file(tmp_path):
    text = describe_missing_file(FileSystemStorage(tmp_path), "a.txt")
    assert text.startswith("FileSystemStorage does not have a file 'a.txt'.")


def test_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "a.txt").mkdir()
    text = describe_missing_file(FileSystemStorage(tmp_path), "a.txt")
    assert text.startswith("FileSystemStorage does not have a file 'a.txt'.")


def test_missing_folder(tmp_path):
    text = describe_missing_file(FileSystemStorage(tmp_path / "files"), "a.txt")
    assert text.startswith(f"The folder '{tmp_path}/files' does not exist.")


def test_file_in_place_of_a_folder(tmp_path):
    (tmp_path / "files").touch()
    text = describe_missing_file(FileSystemStorage(tmp_path / "files"), "a.txt")
    assert text.startswith(f"'{tmp_path}/files' is not a folder. Correct")


def test_storage_without_a_folder():
    text = describe_missing_file(InMemoryStorage(), "a.txt")
    assert text.startswith("InMemoryStorage does not have a file 'a.txt'.")


@pytest.mark.parametrize("error", [FileNotFoundError, FileExistsError, NotADirectoryError])
def test_folder_that_cannot_be_used(error):
    text = describe_failure(error("a"))
    assert text.startswith(f"{error.__name__}: a. Check that the folder")


def test_endpoint_that_does_not_answer():
    error = EndpointConnectionError(endpoint_url="http://127.0.0.1:1/a?X-Amz-Signature=secret")
    text = describe_failure(error)
    assert "Check that the server runs, and correct endpoint_url" in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject")]
)
def test_credentials(error):
    assert describe_failure(error).endswith(
        "Correct the credentials, and allow to get, put, delete and list objects."
    )


def test_bucket_without_a_name():
    problem = get_bucket_problem(S3Storage(bucket_name=None))
    assert problem.startswith("bucket_name is not set.")


def test_bucket(s3_endpoint):
    storage = S3Storage(endpoint_url=s3_endpoint)
    assert get_bucket_problem(storage) is None
    storage.bucket_name = "nothing"
    assert "The bucket 'nothing' does not exist" in get_bucket_problem(storage)


def test_bucket_of_a_server_that_does_not_answer():
    from botocore.config import Config

    storage = S3Storage(
        endpoint_url=f"http://127.0.0.1:{free_port()}",
        client_config=Config(retries={"max_attempts": 0}),
    )
    problem = get_bucket_problem(storage)
    assert "The bucket 'files' cannot be used: EndpointConnectionError" in problem
    assert "Check its name, the credentials and endpoint_url" in problem


@pytest.mark.parametrize(
    ("response", "code"),
    [(None, None), (5, None), ({}, None), ({"Error": 5}, None), ({"Error": {"Code": "a"}}, "a")],
)
def test_code_of_an_error(response, code):
    assert get_error_code(ResponseError(response)) == code


def test_failures_with_a_remedy():
    assert "Check the permissions of the folder" in describe_failure(PermissionError(13, "No"))
    missing = ResponseError({"Error": {"Code": "NoSuchBucket"}})
    assert "Create the bucket" in describe_failure(missing)
    assert describe_failure(ValueError("no")) == "ValueError: no"
