"""Views that prepare a case: log in, upload, replace, delete. All contenders share them."""

from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model, login, logout
from django.forms import modelform_factory
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.csrf import csrf_exempt


def _get_model():
    return apps.get_model(settings.CONTENDER, "Document")


def _describe(document):
    conf = import_module(f"tests.comparison.contenders.{settings.CONTENDER}.conf")
    return {
        "pk": document.pk,
        "stored": document.file.name,
        "disk": str(conf.get_disk_path(document)),
        **conf.get_urls(document),
    }


@csrf_exempt
def log_in(request):
    """Log a user in by name, without a password."""
    user, _ = get_user_model().objects.get_or_create(username=request.GET.get("as", "nobody"))
    if request.method == "POST":
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponse("log-in form")


@csrf_exempt
def log_out(request):
    """Log out."""
    logout(request)
    return HttpResponse()


@csrf_exempt
def upload(request, pk=None):
    """Save an upload by a model form: a new document, or the new file of a document."""
    model = _get_model()
    document = get_object_or_404(model, pk=pk) if pk else model(owner=request.user)
    form = modelform_factory(model, fields=["file"])(request.POST, request.FILES, instance=document)
    if not form.is_valid():
        return JsonResponse({"errors": form.errors}, status=400)
    received = request.FILES["file"].name
    form.instance.name = received[:255]
    form.save()
    return JsonResponse({"received": received, **_describe(form.instance)})


@csrf_exempt
def delete(request, pk):
    """Delete a document."""
    get_object_or_404(_get_model(), pk=pk).delete()
    return HttpResponse()


@csrf_exempt
def give(request, pk):
    """Make another user the owner of a document."""
    document = get_object_or_404(_get_model(), pk=pk)
    document.owner = get_user_model().objects.get(username=request.GET["to"])
    document.save()
    return HttpResponse()


@csrf_exempt
def deactivate(request):
    """Deactivate the requesting user."""
    request.user.is_active = False
    request.user.save()
    return HttpResponse()
