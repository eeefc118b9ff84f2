"""Django storages that keep a record for each file of another storage."""

__version__ = "1.0.0.dev0"
