"""The authentication of clients with a JSON Web Token."""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework.request import Request
from rest_framework_simplejwt.authentication import JWTAuthentication


class TokenAuthentication(JWTAuthentication):
    """JSON Web Tokens, for a site whose browsers have a session as well.

    It has to be the first authentication class. Otherwise the session of a browser would take
    precedence over the token that its script sends.
    """

    def authenticate_header(self, request: Request) -> None:  # type: ignore[override]
        """Return nothing: the status of a refusal is 403, as with the session alone."""


class TokenScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]
    """The description of these tokens in the OpenAPI document."""

    target_class = "client.authentication.TokenAuthentication"
