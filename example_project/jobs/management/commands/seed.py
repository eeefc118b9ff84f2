"""``manage.py seed``: create the users and the first application of the example."""

from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError, CommandParser

from jobs.models import JobApply

SEED_FILES = Path(__file__).resolve().parents[2] / "seed_files"


class Command(BaseCommand):
    """Create users and an application, unless they exist."""

    help = (
        "Create the users messi, ronaldo and admin (password = name) and messi's application, "
        "with an avatar on disk and a resume in GridFS. Existing ones are not changed."
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
        messi = self._get_user("messi")
        self._get_user("ronaldo")
        self._get_user("admin", is_staff=True, is_superuser=True)
        if JobApply.objects.filter(user=messi).exists():
            self.stdout.write("messi has applied already")
            return
        apply = JobApply(user=messi, what_you_want="To play one more season")
        for field, name in (("resume", "messi_resume.txt"), ("avatar", "messi_avatar.jpg")):
            with (SEED_FILES / name).open("rb") as file:
                getattr(apply, field).save(name, File(file), save=False)
        apply.save()
        self.stdout.write(f"messi has applied: {apply.resume.name}, {apply.avatar.name}")

    def _get_user(self, name: str, **rights: bool) -> Any:
        user, created = get_user_model().objects.get_or_create(username=name, defaults=rights)
        if created:
            user.set_password(name)
            user.save()
            self.stdout.write(f"user {name} created, password {name}")
        return user
