"""Permission by the user that the owner instance belongs to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_content_object_model, locate_content_object
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, any_of, is_storable
from proxy_storage.scopes import get_databases

from .base import FilePermission
from .filters import content_object_in


def is_logged_in(requester: Any) -> bool:
    """Return whether a requester is logged in. An object without ``is_authenticated`` is not.

    Args:
        requester: ``request.user``; ``None`` for an anonymous request if DRF's setting
            ``UNAUTHENTICATED_USER`` is ``None``.
    """
    return bool(requester and getattr(requester, "is_authenticated", False))


def is_user(requester: Any) -> bool:
    """Tell whether a requester is a logged-in user of the project.

    An authentication may set a device, a customer or anything else as ``request.user``. Its key
    is not the key of a user, although the two may be equal.

    Args:
        requester: ``request.user``: an instance of the user model; or an object without a table
            that stands for a user, as that of a token does, and has the attributes of one.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#specifying-a-custom-user-model
    """
    if not is_logged_in(requester):
        return False
    model: Any = get_user_model()
    if isinstance(requester, Model):
        user_model: Any = model._meta.concrete_model
        return isinstance(requester, user_model)
    return hasattr(requester, "get_username") or hasattr(requester, model.USERNAME_FIELD)


def get_key(requester: Any) -> Any:
    """Return the key of a requester; ``None`` where it has none.

    A multi-table child of the user model may have a primary key of its own, whose values are
    the keys of other users. A user is known by the key of the user model.
    """
    key = getattr(requester, "pk", None)
    if not is_user(requester):
        return key
    model: Any = get_user_model()
    return getattr(requester, model._meta.pk.attname, key)


def get_model_label(requester: Any) -> str | None:
    """Return the label of the model of a requester; ``None`` for a user of the project."""
    if not isinstance(requester, Model) or is_user(requester):
        return None
    model: Any = requester._meta.concrete_model
    label: str = model._meta.label_lower
    return label


class IsOwner(FilePermission):
    """Allow the user that the owner instance names, or the users.

    A requester that is an instance of another model is not a user, whatever its key.

    Args:
        user_field: the foreign key to the user on the model that owns the file; or a path
            to users with dots, through any relations: ``"application.user"``,
            ``"team.members"``.

    A file without owner, or whose owner names no user, belongs to nobody.

    Raises:
        ConfigurationError: when it is asked, and the path leads to no user.
    """

    def __init__(self, user_field: str = "user") -> None:
        self.user_field = user_field

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare keys; one query, by which no user is fetched."""
        user, model = request.user, get_content_object_model(obj)
        if model is None or not is_user(user):
            return False
        relation = self._get_relation(model)
        if "." not in self.user_field and _is_foreign_key(relation):
            # remembered: others that are asked, and who serves the file, may need it as well
            instance, key = obj.get_content_object(), _get_user_key(user, relation)
            return None not in (instance, key) and getattr(instance, relation.attname) == key
        try:
            key = model._meta.pk.to_python(obj["object_id"])
        except (ValidationError, ValueError, TypeError):  # no key of this model
            return False
        using = locate_content_object(obj)
        instances = self._get_instances(user, model, using) if is_storable(key) else None
        # a database may compare keys without case
        return instances is not None and key in instances.filter(pk=key).values_list(
            "pk", flat=True
        )

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files of all instances that name the user."""
        user = request.user
        if not is_user(user):
            return False
        found = [
            self._get_instances(user, model, using)
            for model in models
            for using in get_databases(model)
        ]
        return any_of(
            *(content_object_in(some, model=some.model) for some in found if some is not None)
        )

    def _get_instances(
        self, user: Any, model: type[Model], using: str | None
    ) -> QuerySet[Model] | None:
        """Return the instances that name a user; ``None`` where nothing can name this one."""
        relation = self._get_relation(model)
        key = _get_user_key(user, relation)
        if key is None:
            return None
        path = "__".join([*self.user_field.split("."), _get_user_field(relation).name])
        return model._base_manager.using(using).filter(**{path: key})

    def _get_relation(self, model: type[Model]) -> Any:
        """Return the last relation of the path, the one that leads to users."""
        reached: Any = model
        relation: Any = None
        for name in self.user_field.split("."):
            try:
                relation = reached._meta.get_field(name)
            except FieldDoesNotExist:
                relation = None
            if relation is None or relation.related_model is None:
                raise ConfigurationError(
                    f"{self}: {reached._meta.label} has no relation {name!r} to another model."
                )
            reached = relation.related_model
        # one to another model has the same numbers in it
        if reached._meta.concrete_model is not get_user_model()._meta.concrete_model:
            raise ConfigurationError(
                f"{self}: on {model._meta.label} this leads to {reached._meta.label}, which is "
                "not the model of users."
            )
        return relation

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.user_field!r})"


def _is_foreign_key(relation: Any) -> bool:
    return bool(relation.concrete and (relation.many_to_one or relation.one_to_one))


def _get_user_field(relation: Any) -> Any:
    """Return the field of users that the relation has the values of."""
    return relation.target_field if _is_foreign_key(relation) else get_user_model()._meta.pk


def _get_user_key(user: Any, relation: Any) -> Any:
    """Return this user's value; ``None`` where it is none, so that it is equal to nothing."""
    field = _get_user_field(relation)
    try:
        return field.to_python(getattr(user, field.attname, None))
    except ValidationError:
        return None
