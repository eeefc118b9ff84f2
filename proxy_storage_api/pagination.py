"""Pages of records, where the project has no paginator of its own."""

from rest_framework.pagination import PageNumberPagination


class RecordPagination(PageNumberPagination):
    """Fifty records a page: a list without pages would read them all."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
