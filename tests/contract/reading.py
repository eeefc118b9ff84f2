"""Functions that read files of proxy storages."""


def read(storage, path):
    """Return the content of a file."""
    with storage.open(path) as file:
        return file.read()


def is_in_original(storage, original_storage_path):
    """Return whether the original storage of a proxy storage contains a file."""
    return storage.get_original_storage().exists(original_storage_path)
