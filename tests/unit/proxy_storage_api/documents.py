"""OpenAPI documents of URLs, made by drf-spectacular."""

from django.urls import include, path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from proxy_storage_api import schema as schema  # registers the extensions

FILES = [path("files/", include("proxy_storage_api.urls"))]


def describe(patterns=FILES):
    """Return the document after its validation. Warnings of drf-spectacular are errors."""
    document = SchemaGenerator(patterns=patterns).get_schema(public=True)
    assert not GENERATOR_STATS
    validate_schema(document)
    return document


def get_names(operation):
    """Return the names of an operation's parameters, and whether each is required."""
    return {one["name"]: one.get("required", False) for one in operation["parameters"]}


def get_component(document, content):
    """Return the component with the schema of a body."""
    reference = content["schema"]["$ref"]
    return document["components"]["schemas"][reference.rpartition("/")[2]]
