"""``manage.py seed``: create the users and the first applications of the example."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from jobs.models import JobApply

SEED_FILES = Path(__file__).resolve().parents[2] / "seed_files"
USERS = ("messi", "ronaldo", "admin")
#: The applications: user, wish, and the file of each field.
APPLICATIONS = (
    (
        "messi",
        "To play one more season",
        {"resume": "messi_resume.txt", "avatar": "messi_avatar.jpg"},
    ),
    (
        "ronaldo",
        "To take the free kicks",
        {
            "resume": "ronaldo_resume.pdf",
            "avatar": "ronaldo_avatar.jpg",
            "certificate": "ronaldo_certificate.png",
        },
    ),
)


class Command(BaseCommand):
    """Create users and applications, unless they exist."""

    help = (
        "Create the users messi, ronaldo and admin (password = name) and the applications of "
        "messi and ronaldo, with pictures on disk and resumes in GridFS. Existing ones are not "
        "changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--only-if-empty``."""
        parser.add_argument(
            "--only-if-empty",
            action="store_true",
            help="fail without changes if the database already has users",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        if options["only_if_empty"] and get_user_model().objects.exists():
            raise CommandError("The database already has users. Use an empty database.")
        self._check_users()
        users = {name: self._get_user(name) for name, *_ in APPLICATIONS}
        self._get_user("admin", is_staff=True, is_superuser=True)
        for name, wish, files in APPLICATIONS:
            self._apply(users[name], wish, files)

    def _check_users(self) -> None:
        """Refuse the database of another site: its new superuser would have a known password."""
        users = get_user_model().objects
        if users.exists() and not users.filter(username__in=USERS).exists():
            raise CommandError(
                "The database has users of another site. Superusers with known passwords are not "
                "created in it. Use an empty database: unset DATABASE_URL, for example."
            )

    def _get_user(self, name: str, **rights: bool) -> Any:
        user, created = get_user_model().objects.get_or_create(username=name, defaults=rights)
        if created:
            user.set_password(name)
            user.save()
            self.stdout.write(f"user {name} created, password {name}")
        return user

    @transaction.atomic
    def _apply(self, user: Any, wish: str, files: Mapping[str, str]) -> None:
        if JobApply.objects.filter(user=user).exists():
            self.stdout.write(f"{user} has applied already")
            return
        application = JobApply(user=user, what_you_want=wish)
        for field, name in files.items():
            with (SEED_FILES / name).open("rb") as file:
                getattr(application, field).save(name, File(file), save=False)
        application.save()
        self.stdout.write(f"{user} has applied: {', '.join(files.values())}")
