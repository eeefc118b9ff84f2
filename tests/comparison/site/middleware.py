"""The number of database queries of a request."""

from django.db import connection


class CountQueries:
    """Add the header ``X-Queries`` to each response."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        queries = []

        def count(execute, sql, params, many, context):
            queries.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(count):
            response = self.get_response(request)
        response.headers["X-Queries"] = str(len(queries))
        return response
