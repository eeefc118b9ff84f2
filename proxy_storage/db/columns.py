"""The former import path of `LiteralCharField`, which migrations of projects name."""

from proxy_storage.db.collation import LiteralCharField as LiteralCharField
