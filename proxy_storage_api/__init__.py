"""The download endpoint: a DRF viewset that asks permissions and lets a server deliver."""
