"""What tests of proxy storages ask of them."""


def read(storage, path):
    with storage.open(path) as file:
        return file.read()


def is_in_original(storage, original_storage_path):
    return storage.get_original_storage().exists(original_storage_path)
