"""The endpoint of files: a DRF viewset that checks permissions and delivers files."""
