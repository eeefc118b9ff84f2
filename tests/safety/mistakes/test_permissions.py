"""Mistakes in permissions and in their settings."""

import pytest
from django.test.utils import isolate_apps
from django.urls import include, path
from rest_framework.permissions import AllowAny, IsAdminUser

from jobs.models import JobApply
from proxy_storage_api.viewsets import FileViewSet
from proxy_storage_permissions import (
    CanReadFile,
    FieldPermissions,
    HasModelPermission,
    HasObjectPermission,
    IsOwner,
)
from tests.testapp.models import Document

pytestmark = pytest.mark.django_db

READING = "DEFAULT_PERMISSION_CLASSES"


def make(permissions, model=JobApply):
    """Return the permissions of a model's fields."""
    return type("JobFiles", (FieldPermissions,), {"model": model, "permissions": permissions})


class Urls:
    def __init__(self, *urlpatterns):
        self.urlpatterns = list(urlpatterns)


class TestField:
    def test_unknown_field(self, find):
        text = find("proxy_storage_api.E005", **{READING: [make({"resmue": AllowAny})]})
        assert "JobFiles.permissions has 'resmue', which is not a field of jobs.JobApply" in text
        assert "Did you mean 'resume'?" in text
        assert "The file fields are 'resume', 'avatar'" in text

    def test_field_without_files(self, find):
        text = find("proxy_storage_api.E005", **{READING: [make({"user": AllowAny})]})
        assert "jobs.JobApply.user is not a file field" in text
        assert "The file fields are 'resume', 'avatar'" in text

    @isolate_apps("jobs")
    def test_field_of_a_proxy_model(self, find):
        class JobProxy(JobApply):
            class Meta:
                app_label = "jobs"
                proxy = True

        rules = make({"resmue": AllowAny, "resume": AllowAny}, JobProxy)
        text = find("proxy_storage_api.E005", **{READING: [rules]})
        assert "Did you mean 'resume'?" in text
        assert "The file fields are 'resume', 'avatar'" in text
        assert "is not a file field" not in text

    @pytest.mark.parametrize("model", [None, "jobs.JobApply", IsOwner])
    def test_model(self, find, model):
        text = find("proxy_storage_api.E005", **{READING: [make({"avatar": AllowAny}, model)]})
        assert f"JobFiles.model must be a model class, not {model!r}" in text
        assert "Set model to the class" in text

    def test_missing_model(self, find):
        class JobFiles(FieldPermissions):
            permissions = {"avatar": AllowAny}

        text = find("proxy_storage_api.E005", **{READING: [JobFiles]})
        assert "JobFiles.model must be a model class, not None" in text

    @pytest.mark.parametrize("permissions", [["avatar"], None, AllowAny])
    def test_permissions_that_are_not_a_dict(self, find, permissions):
        text = find("proxy_storage_api.E005", **{READING: [make(permissions)]})
        assert "JobFiles.permissions must be a dict" in text
        assert "Its keys are file fields of jobs.JobApply: 'resume', 'avatar'" in text


class TestRelation:
    def test_in_the_permissions_of_a_field(self, find):
        rules = make({"resume": IsOwner("usr") | IsAdminUser})
        text = find("proxy_storage_api.E005", **{READING: [rules]})
        assert "JobFiles.permissions['resume']" in text
        assert "jobs.JobApply has no relation 'usr'. Did you mean 'user'?" in text
        assert "Its relations to users are: user" in text

    def test_that_leads_elsewhere(self, find):
        rules = make({"resume": IsOwner("user.groups")})
        text = find("proxy_storage_api.E005", **{READING: [rules]})
        assert "leads to auth.Group, which is not the user model auth.User" in text
        assert "Its relations to users are:" in text

    def test_that_no_model_has(self, find):
        text = find("proxy_storage_api.E005", **{READING: [IsOwner("autor")]})
        assert "has no relation 'autor'" in text
        assert "The same applies to" in text

    def test_that_some_models_have(self, find):
        """It is a warning: the views of a project may be about the other models only."""
        text = find("proxy_storage_api.W005", **{READING: [IsOwner("user")]})
        assert "has no relation 'user'" in text
        assert "JobApply" not in text
        assert "in a FieldPermissions" in text

    def test_that_is_not_a_text(self, find):
        rules = make({"avatar": IsOwner(JobApply.user)})
        text = find("proxy_storage_api.E005", **{READING: [rules]})
        assert "needs the name of a relation" in text


class TestText:
    def test_permission_of_a_field(self, find):
        text = find("proxy_storage_api.E005", **{READING: [make({"avatar": "IsOwner"})]})
        assert "JobFiles.permissions['avatar']: 'IsOwner' is a text, not a permission" in text
        assert "without quotation marks" in text

    def test_list_without_a_list(self, find):
        wrong = ("jobs.permissions.JobApplyFiles")  # fmt: skip
        text = find("proxy_storage_api.E001", **{READING: wrong})
        assert f"must be a list of dotted paths, not the text '{wrong}'" in text
        assert f"Write ['{wrong}']" in text

    def test_path_without_a_module(self, find):
        text = find("proxy_storage_api.E001", **{READING: ["JobApplyFiles"]})
        assert "'JobApplyFiles', which cannot be imported" in text

    @pytest.mark.parametrize("classes", ["IsOwner", IsOwner])
    def test_permission_classes_of_a_view(self, find, settings, classes):
        view = FileViewSet.as_view({"get": "list"}, permission_classes=classes)
        settings.ROOT_URLCONF = Urls(
            path("x/", view), path("files/", include("proxy_storage_api.urls"))
        )
        text = find("proxy_storage_api.E005")
        assert "FileViewSet.permission_classes must be a list of permission classes" in text


class NeedsArguments(AllowAny):
    def __init__(self, name):
        self.name = name


class TestOtherObject:
    @pytest.mark.parametrize(
        ("entry", "words"),
        [
            (JobApply, "does not have the method has_permission"),
            (5, "5 is not a permission class"),
            (AllowAny(), "is not a permission class"),
            (NeedsArguments, "cannot be called without arguments"),
        ],
    )
    def test_permission_of_a_field(self, find, entry, words):
        text = find("proxy_storage_api.E005", **{READING: [make({"avatar": entry})]})
        assert "JobFiles.permissions['avatar']" in text
        assert words in text

    def test_entry_of_the_setting(self, find):
        text = find("proxy_storage_api.E005", **{READING: ["jobs.models.JobApply"]})
        assert f"PROXY_STORAGE['{READING}'] contains an entry that cannot be used" in text
        assert "does not have the method has_permission" in text


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("jobs.permisions.JobApplyFiles", "jobs.permissions.JobApplyFiles"),
        ("jobs.permissions.JobAplyFiles", "jobs.permissions.JobApplyFiles"),
        ("job.permissions.JobApplyFiles", "jobs.permissions.JobApplyFiles"),
    ],
)
def test_misspelt_module(find, wrong, meant):
    text = find("proxy_storage_api.E001", **{READING: [wrong]})
    assert f"PROXY_STORAGE['{READING}'] is '{wrong}', which cannot be imported" in text
    assert f"Did you mean '{meant}'?" in text


class TestNoClasses:
    @pytest.mark.parametrize("value", [{READING: []}, {}])
    def test_only_staff_may_read(self, find, settings, value):
        classes = settings.PROXY_STORAGE["PROXY_STORAGE_CLASSES"]
        settings.PROXY_STORAGE = {"PROXY_STORAGE_CLASSES": classes, **value}
        text = find("proxy_storage_api.W004")
        assert f"PROXY_STORAGE['{READING}'] is not set, so that only staff may read files" in text
        assert "Set it to a list of permission classes" in text

    def test_view_with_classes_of_its_own(self, settings):
        from proxy_storage_api.checks import check_default_rules

        settings.PROXY_STORAGE = {}
        view = FileViewSet.as_view({"get": "list"}, permission_classes=[AllowAny])
        settings.ROOT_URLCONF = Urls(path("x/", view))
        assert check_default_rules(None) == []

    def test_project_without_files(self, settings):
        from proxy_storage_api.checks import check_default_rules

        settings.PROXY_STORAGE = settings.STORAGES = {}
        assert check_default_rules(None) == []


class TestDjangoPermission:
    @pytest.mark.parametrize("cls", [HasModelPermission, HasObjectPermission])
    @pytest.mark.parametrize(
        ("name", "meant"), [("veiw", "view"), ("jobs.view_jobaply", "jobs.view_jobapply")]
    )
    def test_unknown_name(self, find, cls, name, meant):
        text = find("proxy_storage_api.W005", **{READING: [make({"resume": cls(name)})]})
        assert f"{cls.__name__}('{name}') needs the permission" in text
        assert "which no model declares. Only superusers have it" in text
        assert f"Did you mean '{meant}'?" in text
        assert "Meta.permissions" in text

    def test_name_of_a_custom_permission(self, monkeypatch):
        options = [("approve_jobapply", "Approve"), ("publish", "Publish")]
        monkeypatch.setattr(JobApply._meta, "permissions", options)
        for name, count in (("approve", 0), ("jobs.publish", 0), ("aprove", 1)):
            problems = list(HasModelPermission(name).find_problems([JobApply]))
            assert len(problems) == count
        assert "Did you mean 'approve'?" in problems[0].text

    def test_without_models(self):
        assert list(HasModelPermission("veiw").find_problems([])) == []

    def test_other_backends_may_know_the_name(self, settings):
        settings.AUTHENTICATION_BACKENDS = [f"{__name__}.Backend"]
        assert list(HasModelPermission("veiw").find_problems([JobApply])) == []


class Backend:
    def has_perm(self, user, name, obj=None):
        return True

    def get_all_permissions(self, user, obj=None):
        return set()


def test_method_that_no_model_has(find):
    rules = make({"orm_file": CanReadFile("can_read_fiel")}, Document)
    text = find("proxy_storage_api.W005", **{READING: [rules]})
    assert "calls the method 'can_read_fiel', which is not defined by testapp.Document" in text
    assert "It denies all their files" in text
    assert "Define the method" in text
