"""django-sendfile2: its documentation, pages "Getting Started" and "Backends".

``show`` calls ``sendfile`` with the path only. ``save`` passes ``attachment`` and
``attachment_filename``.
"""
