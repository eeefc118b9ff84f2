"""The example project as a running site, and a check of who gets which file.

``python -m demo`` starts everything, asks for files over HTTP as four people, prints what
each got, and stops everything. ``python -m demo --serve`` leaves the site running.
"""
