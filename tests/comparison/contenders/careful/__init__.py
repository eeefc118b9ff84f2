"""The common recipe with what a careful developer adds, from the documentation of Django and nginx.

It escapes the internal URL, uses Django's function for Content-Disposition, keeps the name of the
upload in a column, and sends Cache-Control.
"""
