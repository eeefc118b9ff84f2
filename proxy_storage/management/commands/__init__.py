"""The command ``proxystorage``."""
