"""Middleware: headers of all pages, and the largest request."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

OFFLOADING_HEADERS = ("X-Accel-Redirect", "X-Sendfile")

#: The largest form has three files of 5 MB.
MAX_BODY_SIZE = 16 * 2**20
#: Scripts, styles and forms of this site only, and nothing inline.
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
#: The pages of Django REST framework and of Swagger UI have inline styles.
POLICY_WITH_INLINE_STYLES = f"{POLICY}; style-src 'self' 'unsafe-inline'"
PAGES_WITH_INLINE_STYLES = ("/api/", "/files/", "/schema/")


def delivered_by_python(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add X-Delivered-By to all responses, except those that offload a file.

    The demo and the pages show with it whether Django delivered a file.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not any(header in response for header in OFFLOADING_HEADERS):
            response["X-Delivered-By"] = "python"
        return response

    return middleware


def page_headers(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add a Content-Security-Policy, and keep pages out of caches.

    Headers that the response has are kept, such as those of files and of static files.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        has_inline_styles = request.path.startswith(PAGES_WITH_INLINE_STYLES)
        policy = POLICY_WITH_INLINE_STYLES if has_inline_styles else POLICY
        response.headers.setdefault("Content-Security-Policy", policy)
        # The pages and the API show the files of the user, and the API shows signed links. After
        # the log-out, the Back button must not show them again.
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return middleware


def limit_body(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Refuse a body that is longer than each form of the site, before it is read.

    To check the CSRF token of a form, Django reads the whole form with its files, also without a
    log-in. Without this limit, each visitor could fill the disk. A body without ``Content-Length``
    is not read.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) <= MAX_BODY_SIZE:
            return get_response(request)
        return HttpResponse("The request is too large.", status=413, content_type="text/plain")

    return middleware
