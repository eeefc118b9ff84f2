"""Proxy storages (`base`) and an original storage of our own (`gridfs`)."""
