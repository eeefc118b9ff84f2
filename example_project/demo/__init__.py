"""The example project as a running site, and a check of the permissions.

``python -m demo`` starts the site, requests its files over HTTP as four users, prints each
response in a table, and stops the site. ``python -m demo --serve`` runs it until Ctrl-C.
"""
