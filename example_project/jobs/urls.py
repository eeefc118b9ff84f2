"""URLs of the pages."""

from django.urls import path

from jobs import views

urlpatterns = [
    path("", views.HomeView.as_view(), name="home"),
    path("login/", views.LoginView.as_view(), name="login"),
    path("apply/", views.ApplyView.as_view(), name="apply"),
    path("my-files/", views.MyFilesView.as_view(), name="my-files"),
    path("applications/<int:pk>/", views.ApplicationView.as_view(), name="application"),
    path(
        "applications/<int:pk>/delete/",
        views.DeleteApplicationView.as_view(),
        name="delete-application",
    ),
    path(
        "applications/<int:pk>/<str:field>/why/",
        views.FileExplainedView.as_view(),
        name="file-explained",
    ),
    path("applications/<int:pk>/<str:field>/link/", views.LinkView.as_view(), name="link"),
    path(
        "applications/<int:pk>/<str:field>/delete/",
        views.DeleteFileView.as_view(),
        name="delete-file",
    ),
]
