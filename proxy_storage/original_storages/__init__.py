"""Functions for original storages of any class."""
