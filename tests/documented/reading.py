"""How tests look at what has been stored."""


def read(storage, path):
    with storage.open(path) as file:
        return file.read()
