"""The pages of the example project."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.forms import ModelForm
from django.http import HttpResponse
from django.urls import reverse_lazy
from django.views.generic import CreateView, ListView

from jobs.models import JobApply


class HomeView(ListView):
    """All applications, with links to their files. The links are no secret: each
    request for a file asks the permissions anew.
    """

    queryset = JobApply.objects.select_related("user").order_by("pk")
    template_name = "jobs/home.html"


class ApplyView(LoginRequiredMixin, CreateView):
    """A form for an application of one's own."""

    model = JobApply
    fields = ["what_you_want", "resume", "avatar"]
    template_name = "jobs/apply.html"
    success_url = reverse_lazy("home")

    def form_valid(self, form: ModelForm) -> HttpResponse:
        """Save the application for whoever is logged in."""
        user: Any = self.request.user
        form.instance.user = user
        return super().form_valid(form)
