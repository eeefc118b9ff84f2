"""Mistakes in a project's configuration: each is found, with its cause and its remedy."""
