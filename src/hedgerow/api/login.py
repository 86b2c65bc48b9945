"""POST /api/login/ and /api/logout/ (api_conventions.md §2.4)."""

from typing import Any

from django.middleware.csrf import get_token
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hedgerow.accounts import sessions
from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import User
from hedgerow.api import auth, limits, pages, users
from hedgerow.api.checks import NO_SCOPE, ContractView
from hedgerow.api.errors import UnauthenticatedError
from hedgerow.core.errors import DeniedError


class LoginSerializer(serializers.Serializer[Any]):
    """What a person signs in with."""

    email = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class LoginView(ContractView):
    """Opens a session; nobody has to be signed in yet."""

    scope_object = "user"
    repeatable = False
    needs_caller = False
    scopes = {"create": NO_SCOPE}

    def identify(self, request: Request, body: object) -> Actor:
        origin = request.META.get("HTTP_ORIGIN", "")
        if origin and origin not in (pages.base_url(request), *auth.cookie_origins()):
            raise DeniedError("CSRF Failed: Origin checking failed.")
        return Actor(User())

    @extend_schema(request=LoginSerializer, responses={200: users.BasicUserSerializer})
    def create(self, request: Request) -> Response:
        """200, the session cookie, and the CSRF cookie whose value changing requests repeat in X-CSRFToken."""
        serializer = LoginSerializer(data=self.body)
        serializer.is_valid(raise_exception=True)
        headers = limits.count("ordinary", f"address {auth.address(request)}")
        user = sessions.check_password(serializer.validated_data["email"], serializer.validated_data["password"])
        if user is None:
            raise UnauthenticatedError("Invalid email or password.", "authentication_failed", headers)
        sessions.sign_in(request.session, user)
        get_token(request)
        return Response(users.basic_user(user))


class LogoutView(ContractView):
    """Ends the session."""

    scope_object = "user"
    scopes = {"create": NO_SCOPE}
    closed_to_keys = ("create",)

    @extend_schema(request=None, responses={204: None})
    def create(self, request: Request) -> Response:
        """204; the session cookie is worth nothing any more."""
        sessions.sign_out(request.session)
        return Response(status=204)
