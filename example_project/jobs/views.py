"""The pages of the example project."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import LoginView as DjangoLoginView
from django.db import transaction
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.generic import CreateView, ListView, TemplateView, View

from jobs.explanations import decide, get_delivery, make_view
from jobs.files import ShownFile, show_applications
from jobs.forms import ApplyForm
from jobs.models import JobApply
from proxy_storage_permissions import get_signed_url

LINK_MAX_AGE = 10 * 60  # seconds
#: The users of ``manage.py seed``. Their passwords are their names.
SEED_USERS = ("messi", "ronaldo", "admin")


class HomeView(ListView):
    """All applications, with links to their files.

    All visitors see the links, since permissions are checked for each request for a file.
    """

    queryset = JobApply.objects.select_related("user").order_by("-pk")
    template_name = "jobs/home.html"
    paginate_by = 20

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the decision for each file."""
        context = super().get_context_data(**kwargs)
        shown = show_applications(self.request, context["object_list"])
        return {**context, "applications": shown, "seed_users": SEED_USERS}


class LoginView(DjangoLoginView):
    """The log-in page. It leads back to the page, or to the refused file, in ``next``."""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Return the arguments of the form, whose labels do not end with a colon."""
        return {**super().get_form_kwargs(), "label_suffix": ""}

    def get_initial(self) -> dict[str, Any]:
        """Return the name in the query, which the links of the home page have."""
        return {**super().get_initial(), "username": self.request.GET.get("user", "")}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the names of the users."""
        return {**super().get_context_data(**kwargs), "seed_users": SEED_USERS}


class ApplicationView(TemplateView):
    """One application, with a preview of the files that the visitor may read."""

    template_name = "jobs/application.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the application."""
        application = get_object_or_404(JobApply.objects.select_related("user"), pk=kwargs["pk"])
        (shown,) = show_applications(self.request, [application])
        return {**super().get_context_data(**kwargs), "shown": shown}


class FileExplainedView(TemplateView):
    """The rules, the storages, the server and the headers of one file, for the visitor.

    The response to a refused request does not depend on the content of the file, so its size and
    its headers are shown only to visitors who may read it.
    """

    template_name = "jobs/file_explained.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the explanations of the file and its thumbnail."""
        file = get_shown_file(self.request, JobApply.objects.all(), kwargs["pk"], kwargs["field"])
        view = make_view(self.request)
        context = {
            "file": file,
            "storage": file.record["proxy_storage_name"],
            "original_storage": type(file.record.get_original_storage()).__name__,
        }
        if file.decision.is_allowed:
            context["delivery"] = get_delivery(view, file.record)
        if file.thumbnail is not None:
            context["thumbnail_decision"] = decide(view, file.thumbnail)
        return {**super().get_context_data(**kwargs), **context}


class ApplyView(LoginRequiredMixin, CreateView):
    """A form for a new application.

    The script of the page sends the form with ``Accept: application/json``, to show the progress.
    """

    form_class = ApplyForm
    template_name = "jobs/apply.html"

    @transaction.atomic
    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save the application for the current user."""
        user: Any = self.request.user
        form.instance.user = user
        response = super().form_valid(form)
        messages.success(self.request, "Your application has been saved.")
        if is_from_script(self.request):
            return JsonResponse({"url": self.get_success_url()}, status=201)
        return response

    def form_invalid(self, form: ModelForm) -> HttpResponse:
        """Return the errors beside the fields."""
        if is_from_script(self.request):
            return JsonResponse({"errors": form.errors}, status=400)
        return super().form_invalid(form)


def is_from_script(request: HttpRequest) -> bool:
    """Return whether a script has sent the request."""
    return request.headers.get("Accept", "") == "application/json"


class MyFilesView(LoginRequiredMixin, TemplateView):
    """The files of the user's own applications, from their records."""

    template_name = "jobs/my_files.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add the applications, the newest first."""
        applications = get_own_applications(self.request).order_by("-pk")
        shown = show_applications(self.request, applications)
        return {**super().get_context_data(**kwargs), "applications": shown}


class LinkView(LoginRequiredMixin, View):
    """A signed link to an own file. It is made by POST, so that other sites cannot request it."""

    def post(self, request: HttpRequest, pk: int, field: str) -> HttpResponse:
        """Show the link."""
        file = get_shown_file(request, get_own_applications(request), pk, field)
        link = get_signed_url(file.record, request=request, max_age=LINK_MAX_AGE)
        response = render(request, "jobs/link.html", {"file": file, "link": link})
        # The link must not stay in a cache.
        response["Cache-Control"] = "private, no-store"
        return response


class DeleteFileView(LoginRequiredMixin, View):
    """Delete an optional file of an own application, after a confirmation."""

    def get(self, request: HttpRequest, pk: int, field: str) -> HttpResponse:
        """Ask for confirmation."""
        return render(request, "jobs/delete_file.html", {"file": self._get_file(pk, field)})

    def post(self, request: HttpRequest, pk: int, field: str) -> HttpResponse:
        """Delete the file and clear the field."""
        with transaction.atomic():
            # The lock keeps a second request from deleting the application meanwhile.
            get_object_or_404(get_own_applications(request).select_for_update(of=["self"]), pk=pk)
            file = self._get_file(pk, field)
            file.file.delete(save=False)
            # Without update_fields, Django would insert a row that was deleted, and write old
            # values of the other fields.
            file.application.save(update_fields=[field])
        messages.success(request, f"The {field} has been deleted.")
        return redirect("my-files")

    def _get_file(self, pk: int, field: str) -> ShownFile:
        file = get_shown_file(self.request, get_own_applications(self.request), pk, field)
        if not file.is_optional:
            raise Http404
        return file


class DeleteApplicationView(LoginRequiredMixin, View):
    """Delete an own application with its files, after a confirmation."""

    def get(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for confirmation."""
        application = get_object_or_404(get_own_applications(request), pk=pk)
        (shown,) = show_applications(request, [application])
        return render(request, "jobs/delete_application.html", {"shown": shown})

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Delete the application. Its files are deleted with it."""
        with transaction.atomic():
            applications = get_own_applications(request).select_for_update(of=["self"])
            get_object_or_404(applications, pk=pk).delete()
        messages.success(request, "The application and its files have been deleted.")
        return redirect("my-files")


def get_own_applications(request: HttpRequest) -> Any:
    """Return the applications of the current user."""
    user: Any = request.user
    return JobApply.objects.filter(user=user).select_related("user")


def get_shown_file(request: HttpRequest, applications: Any, pk: int, field: str) -> ShownFile:
    """Return a file of an application.

    Raises:
        Http404: the application does not exist or does not have this file.
    """
    application = get_object_or_404(applications.select_related("user"), pk=pk)
    (shown,) = show_applications(request, [application])
    for file in shown.files:
        if file.field == field:
            return file
    raise Http404
