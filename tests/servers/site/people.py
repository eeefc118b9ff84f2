"""Users who log in, and a list of the permitted users of each file."""

import json

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.models import Group, User
from django.core.files.storage import storages
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from proxy_storage_permissions import FilePermission, HasValidSignature, get_signed_url
from tests.servers.site.views import save


class IsListed(FilePermission):
    """Allows users that `set_readers` has listed."""

    def has_object_permission(self, request, view, obj):
        return request.user.groups.filter(name=obj["path"]).exists()


LinkedOrListed = HasValidSignature | IsListed


def write_down_what_is_asked(get_response):
    """Record the requests of web servers for permission, so that tests can count them."""

    def middleware(request):
        asked = request.headers.get(settings.PROXY_STORAGE["AUTHORIZE_URI_HEADER"])
        if asked is not None:
            with (settings.FOLDER / "asked").open("a") as file:
                file.write(f"{json.dumps([asked, dict(request.headers)])}\n")
        return get_response(request)

    return middleware


@require_POST
@csrf_exempt
def log_in(request, name):
    """Log a user in; create the user if necessary. The password is the name."""
    if not User.objects.filter(username=name).exists():
        User.objects.create_user(name, password=name)
    login(request, User.objects.get(username=name))
    return HttpResponse()


@require_POST
@csrf_exempt
def set_readers(request):
    """Set the users who may read a file."""
    asked = json.loads(request.body)
    group, _ = Group.objects.get_or_create(name=asked["path"])
    group.user_set.set(User.objects.filter(username__in=asked["names"]))
    return HttpResponse()


@require_POST
@csrf_exempt
def get_link(request):
    """Return a response with the query of a signed link."""
    record = storages["avatars"].get_meta_backend_obj(json.loads(request.body)["path"])
    return HttpResponse(get_signed_url(record).url.partition("?")[2])


urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("save/<storage>/", save),
    path("log-in/<name>/", log_in),
    path("readers/", set_readers),
    path("link/", get_link),
]
