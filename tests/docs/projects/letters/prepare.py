"""The users anna and admin, and one letter of anna."""

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from letters.models import Letter

User.objects.create_superuser("admin", password="admin")
anna = User.objects.create_user("anna", password="secret")
letter = Letter(reader=anna)
letter.scan.save("hello.txt", ContentFile(b"Dear Anna"))
