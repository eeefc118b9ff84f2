"""The transaction of a request, and the signals that outlive it."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from django.db import connections, transaction
from django.http.response import HttpResponseBase
from rest_framework.viewsets import GenericViewSet

from proxy_storage.meta_backends.base import MetaBackendObject
from proxy_storage_api.signals import file_refused


class RequestTransactionMixin(GenericViewSet[Any]):
    """Send ``file_refused`` after the transaction of ``ATOMIC_REQUESTS``.

    DRF rolls that transaction back when it answers with an error, and rows that a receiver has
    written inside of it would be lost. So Django is told to open no transaction for the view, and
    the view opens the same ones itself.

    Source: https://docs.djangoproject.com/en/stable/topics/db/transactions/
    """

    # None outside of `dispatch`, where signals are sent at once.
    _refusals: list[dict[str, Any]] | None = None

    @classmethod
    def as_view(cls, actions: Any = None, **initkwargs: Any) -> Any:
        """Return the view, for which Django opens no transaction."""
        view = super().as_view(actions, **initkwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer inside of transactions where the project has ``ATOMIC_REQUESTS``."""
        self._refusals = []
        try:
            with ExitStack() as transactions:
                for alias, options in connections.settings.items():
                    if options["ATOMIC_REQUESTS"]:
                        transactions.enter_context(transaction.atomic(using=alias))
                return super().dispatch(request, *args, **kwargs)
        finally:
            refusals, self._refusals = self._refusals, None
            for refusal in refusals:
                self._send_refusal(refusal)

    def report_refusal(self, record: MetaBackendObject) -> None:
        """Send ``file_refused`` for the current action at the end of the request's transaction.

        Args:
            record: the record of the file.
        """
        refusal = {"request": self.request, "record": record, "action": self.action}
        if self._refusals is None:
            self._send_refusal(refusal)
        else:
            self._refusals.append(refusal)

    def _send_refusal(self, refusal: dict[str, Any]) -> None:
        file_refused.send_robust(type(self), **refusal)
