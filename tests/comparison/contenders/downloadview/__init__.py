"""django-downloadview: its documentation, pages "ObjectDownloadView" and "Nginx".

Both URLs are an ObjectDownloadView; ``save`` has ``basename_field``, and ``show`` has
``attachment = False``.
"""
