"""The pages of the example project."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import ModelForm
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.views.generic import CreateView, ListView

from jobs.models import JobApply


class HomeView(ListView):
    """All applications, with links to their files.

    All users see the links, since permissions are checked for each request for a file.
    """

    queryset = JobApply.objects.select_related("user").order_by("pk")
    template_name = "jobs/home.html"


class ApplyView(LoginRequiredMixin, CreateView):
    """A form for a new application."""

    model = JobApply
    fields = ["what_you_want", "resume", "avatar"]
    template_name = "jobs/apply.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save the application for the current user."""
        user: Any = self.request.user
        form.instance.user = user
        return super().form_valid(form)
