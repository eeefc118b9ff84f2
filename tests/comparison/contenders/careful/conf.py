"""The settings of Django and nginx: those of the common recipe."""

from tests.comparison.contenders.recipe.conf import (  # noqa: F401
    INTERNAL,
    PATH_URLS,
    get_disk_path,
    get_nginx,
    get_settings,
    get_urls,
)
