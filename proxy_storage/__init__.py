"""A Django storage in front of any other storage, with one record for every file."""

__version__ = "1.0.0.dev0"
