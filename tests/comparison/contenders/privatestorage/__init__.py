"""django-private-storage: its README, sections "Installation" to "For Nginx".

``show`` is the URL of its storage, with a function in PRIVATE_STORAGE_AUTH_FUNCTION that checks the
owner. ``save`` is a PrivateStorageDetailView with the options for Content-Disposition.
"""
