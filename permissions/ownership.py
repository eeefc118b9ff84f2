"""Permission for the user who owns the content object of a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from rest_framework.request import Request
from rest_framework.views import APIView

from proxy_storage.content_objects import get_databases, locate_content_object
from proxy_storage.exceptions import ConfigurationError
from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage.meta_backends.queries import Condition, any_of, is_storable
from proxy_storage.suggestions import suggest

from .base import NO_CONTENT_OBJECT, NOT_FOUND, FilePermission
from .filters import content_object_in
from .problems import Problem

NOT_LOGGED_IN = "The requester is not logged in as a user."


def is_logged_in(requester: Any) -> bool:
    """Return whether a requester is logged in; false for objects without ``is_authenticated``.

    Args:
        requester: ``request.user``; ``None`` for an anonymous request if DRF's setting
            ``UNAUTHENTICATED_USER`` is ``None``.
    """
    return bool(requester and getattr(requester, "is_authenticated", False))


def is_user(requester: Any) -> bool:
    """Return whether a requester is a logged-in user of the project.

    An authentication class may set a device, a customer or any other object as ``request.user``.
    Its key is not the key of a user, although the two may be equal.

    Args:
        requester: ``request.user``: an instance of the user model, or an object without a table
            that represents a user, such as the user of a token, and has a user's attributes.

    Source: https://docs.djangoproject.com/en/stable/topics/auth/customizing/#specifying-a-custom-user-model
    """
    if not is_logged_in(requester):
        return False
    model: Any = get_user_model()
    if isinstance(requester, Model):
        user_model: Any = model._meta.concrete_model
        return isinstance(requester, user_model)
    return hasattr(requester, "get_username") or hasattr(requester, model.USERNAME_FIELD)


class IsOwner(FilePermission):
    """Allow the owner of the content object: the user, or one of the users, that it refers to.

    A requester that is an instance of another model is not a user, even if its key is that of a
    user. A file without a content object, or whose content object refers to no user, has no owner.

    Args:
        user_field: the name of the foreign key to the user on the model of the content object; or
            a path to users over any relations, with dots: ``"application.user"``,
            ``"team.members"``.

    Raises:
        ConfigurationError: on use, if the path does not lead to the user model.
    """

    def __init__(self, user_field: str = "user") -> None:
        self.user_field = user_field

    def has_object_permission(
        self, request: Request, view: APIView, obj: MetaBackendObject
    ) -> bool:
        """Compare the keys of the two users. The owner is not fetched."""
        user = request.user
        if not is_user(user):
            return False
        model, using = locate_content_object(obj)
        if model is None:
            return False
        path = _find_path(type(self).__name__, model, self.user_field, get_user_model())
        if path.foreign_key is not None:
            # The record keeps the instance: other permissions and the server may use it as well.
            instance, key = obj.get_content_object(), path.get_value(user)
            return None not in (instance, key) and getattr(instance, path.foreign_key) == key
        try:
            key = model._meta.pk.to_python(obj["object_id"])
        except (ValidationError, ValueError, TypeError):  # It is not a key of this model.
            return False
        instances = path.get_instances(user, using) if is_storable(key) else None
        # The keys are compared here, since a database may ignore case.
        return instances is not None and key in instances.filter(pk=key).values_list(
            "pk", flat=True
        )

    def find_problems(self, models: Collection[type[Model]]) -> Iterator[Problem]:
        """Yield the models from which the path does not lead to users."""
        if not isinstance(self.user_field, str):
            yield Problem(
                f"{type(self).__name__}({self.user_field!r}) needs the name of a relation.",
                hint='Pass a text, such as "user" or "application.user".',
            )
            return
        failures: dict[str, str] = {}
        for model in models:
            try:
                _find_path(type(self).__name__, model, self.user_field, get_user_model())
            except ConfigurationError as error:
                failures[model._meta.label] = str(error)
        if failures:
            first, *others = failures
            also = f" The same applies to {', '.join(others)}." if others else ""
            yield Problem(
                f"{failures[first]}{also}",
                hint="Correct the path, or use the permission in a FieldPermissions of a model "
                "that has this relation. Otherwise lists and requests for other files fail.",
                is_error=len(failures) == len(models),
            )

    def get_reason(self, request: Request, view: APIView, obj: MetaBackendObject) -> str | None:
        """Return which of the two users is missing, or that they differ."""
        if not is_user(request.user):
            return NOT_LOGGED_IN
        model, _ = locate_content_object(obj)
        if model is None:
            return NO_CONTENT_OBJECT
        path = _find_path(type(self).__name__, model, self.user_field, get_user_model())
        if obj.get_content_object() is None:
            return NOT_FOUND
        if path.foreign_key is None:
            return f"The user is not one of {self.user_field!r} of the content object."
        owner = getattr(obj.get_content_object(), path.foreign_key)
        if owner is None:
            return "The content object does not have an owner."
        return f"The owner is {owner!r}, and the requester is {path.get_value(request.user)!r}."

    def get_filter(
        self, request: Request, view: APIView, models: Collection[type[Model]]
    ) -> Condition:
        """Select the files of all content objects that the user owns."""
        user = request.user
        if not is_user(user):
            return False
        user_model, rule = get_user_model(), type(self).__name__
        found = [
            _find_path(rule, model, self.user_field, user_model).get_instances(user, using)
            for model in models
            for using in get_databases(model)
        ]
        return any_of(
            *(content_object_in(some, model=some.model) for some in found if some is not None)
        )


@dataclass(frozen=True)
class _PathToUsers:
    """The relations from a model to its users.

    Args:
        model: the model.
        lookup: the path to the referenced field of users, as a lookup.
        field: the field of users whose values the last relation has.
        foreign_key: the attribute with the value, if the path is one foreign key of the model.
    """

    model: type[Model]
    lookup: str
    field: Any
    foreign_key: str | None

    def get_value(self, user: Any) -> Any:
        """Return the user's value of the field; ``None`` if it is not valid for the field."""
        try:
            return self.field.to_python(getattr(user, self.field.attname, None))
        except ValidationError:
            return None

    def get_instances(self, user: Any, using: str | None) -> QuerySet[Model] | None:
        """Return the instances that refer to a user; ``None`` if the user has no valid value."""
        value = self.get_value(user)
        if value is None:
            return None
        return self.model._base_manager.using(using).filter(**{self.lookup: value})


def _describe_relations(model: type[Model], user_model: type[Model]) -> str:
    """Return a sentence with the relations of a model that lead to users directly."""
    users = user_model._meta.concrete_model
    relations: list[Any] = model._meta.get_fields()
    names = [
        relation.name
        for relation in relations
        # The related model of a GenericForeignKey is None.
        if relation.related_model and relation.related_model._meta.concrete_model is users
    ]
    return f"Its relations to users are: {', '.join(names) or 'none'}."


@lru_cache(maxsize=256)
def _find_path(
    permission: str, model: type[Model], user_field: str, user_model: type[Model]
) -> _PathToUsers:
    reached: Any = model
    relation: Any = None
    where = f"{permission}({user_field!r})"
    for name in user_field.split("."):
        try:
            relation = reached._meta.get_field(name)
        except FieldDoesNotExist:
            relation = None
        if relation is None or relation.related_model is None:
            known = [one.name for one in reached._meta.get_fields() if one.related_model]
            raise ConfigurationError(
                f"{where}: {reached._meta.label} has no relation {name!r}.{suggest(name, known)} "
                "Use the name of a foreign key to the user, or a path of relations such as "
                f"'team.members'. {_describe_relations(reached, user_model)}"
            )
        reached = relation.related_model
    # The keys of another model can be equal to those of users.
    if reached._meta.concrete_model is not user_model._meta.concrete_model:
        raise ConfigurationError(
            f"{where}: on {model._meta.label} this leads to {reached._meta.label}, which is not "
            f"the user model {user_model._meta.label}. {_describe_relations(model, user_model)}"
        )
    is_foreign_key = relation.concrete and (relation.many_to_one or relation.one_to_one)
    field = relation.target_field if is_foreign_key else user_model._meta.pk
    return _PathToUsers(
        model=model,
        lookup="__".join([*user_field.split("."), field.name]),
        field=field,
        foreign_key=relation.attname if is_foreign_key and "." not in user_field else None,
    )
