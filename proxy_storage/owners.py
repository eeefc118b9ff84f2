"""The former import path of `proxy_storage.content_objects.fetch_content_objects`."""

from proxy_storage.content_objects import fetch_content_objects as fetch_content_objects
