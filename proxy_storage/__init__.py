"""Django storages that keep a record for each file of another storage."""

__all__ = ["__version__"]

__version__ = "1.0.0.dev0"
