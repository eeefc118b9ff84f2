"""OpenAPI documents of URLs, as drf-spectacular makes them for a project."""

from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from proxy_storage_api import schema as schema  # as it is where drf-spectacular is in use

FILES = [path("files/", include("proxy_storage_api.urls"))]


def describe(patterns=FILES):
    """Return the document, which is valid and was made without a warning."""
    document = SchemaGenerator(patterns=patterns).get_schema(public=True)
    assert not GENERATOR_STATS
    validate_schema(document)
    return document


def get_names(operation):
    """Return the parameters of an operation, and whether each is required."""
    return {one["name"]: one.get("required", False) for one in operation["parameters"]}


def get_component(document, content):
    """Return the schema that a body has, which is one of the components."""
    reference = content["schema"]["$ref"]
    return document["components"]["schemas"][reference.rpartition("/")[2]]
