"""The former place of the functions for conditions in `proxy_storage.meta_backends.queries`."""

from proxy_storage.meta_backends.queries import all_of, any_of, build, get_test, matches, negate

__all__ = ["all_of", "any_of", "build", "get_test", "matches", "negate"]
