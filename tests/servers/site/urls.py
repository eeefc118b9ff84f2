from django.urls import include, path

from tests.servers.site import views

urlpatterns = [
    path("files/", include("proxy_storage_api.urls")),
    path("plain/<storage>/", views.plain),
    path("save/<storage>/", views.save),
    path("delete/<storage>/", views.delete),
]
