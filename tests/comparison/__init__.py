"""The same requests to this package, other packages and hand-written views, through nginx."""
