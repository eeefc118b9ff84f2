"""Subcommands of ``manage.py proxystorage`` that need Django REST framework."""
