"""The ready model of records: add ``"proxy_storage.records"`` to ``INSTALLED_APPS``."""
