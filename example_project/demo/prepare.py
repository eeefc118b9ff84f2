"""Create the tables and the first data: ``python -m demo.prepare [options of seed]``.

One process does both, since each start of Django takes a second.
"""

import sys

import django
from django.core.management import CommandError, call_command
from django.db import DatabaseError
from pymongo.errors import PyMongoError

from proxy_storage.exceptions import ProxyStorageError

if __name__ == "__main__":
    django.setup()
    try:
        call_command("migrate", verbosity=0)
        call_command("seed", *sys.argv[1:])
    except (CommandError, DatabaseError, PyMongoError, ProxyStorageError) as error:
        sys.exit(str(error))
