"""Operations on the files and records of proxy storages."""
