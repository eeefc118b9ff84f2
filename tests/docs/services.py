"""The services that pages need: ``<!-- needs: mongodb -->``.

Each page gets its own server, so that it does not find the records of another page. A web server is
only searched: the page starts it.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field

from demo.services import running_mongo
from tests.programs import DEBIAN_PACKAGES, running_s3


@dataclass(frozen=True)
class Service:
    """A running server.

    Args:
        variables: environment variables for all commands and Python blocks of the page.
        texts: texts of the page, and what replaces them.
    """

    variables: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


@contextmanager
def running_mongodb_service(folder):
    with running_mongo(folder) as uri:
        server = uri.rpartition("/")[0]
        yield Service({"MONGODB_URI": uri}, {"mongodb://127.0.0.1:27017": server})


@contextmanager
def running_s3_service(folder):
    """boto3 and the command ``aws`` read these variables."""
    folder.mkdir()
    with running_s3(folder) as url:
        yield Service(
            {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "tests",
                "AWS_SECRET_ACCESS_KEY": "tests",
                "AWS_DEFAULT_REGION": "us-east-1",
                "AWS_S3_REGION_NAME": "us-east-1",
            }
        )


SERVICES = {"mongodb": running_mongodb_service, "s3": running_s3_service}
PROGRAMS = tuple(DEBIAN_PACKAGES)
