"""A POST sent twice with the same Idempotency-Key runs once (api_conventions.md §6)."""

import json
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.crypto import salted_hmac
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from hedgerow.api.models import FirstAnswer
from hedgerow.core.clock import now
from hedgerow.core.errors import ConflictError
from hedgerow.core.secrets import Sealer

KEPT: Final = timedelta(hours=24)
GIVEN_UP: Final = timedelta(minutes=5)  # a first request that old died with its server
LONGEST_WAIT: Final = 15.0  # seconds a repeat waits for the first to finish
_LOOK_EVERY: Final = 0.1


class Replay(Exception):  # noqa: N818 - not an error: carries the first answer out of the checks
    """The first answer, to be sent again."""

    def __init__(self, response: Response) -> None:
        super().__init__("replay")
        self.response = response


@dataclass(frozen=True)
class Claim:
    """This request is the first with its key; `finish` must be called with its answer."""

    digest: str

    def finish(self, response: Any) -> None:
        """Keeps the answer for repeats. After a failure of the server nothing is kept: the repeat runs again."""
        row = FirstAnswer.objects.filter(pk=self.digest)
        if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or not hasattr(response, "data"):
            row.delete()
            return
        answer = {"data": json.loads(JSONRenderer().render(response.data) or "null")}
        row.update(status=response.status_code, sealed_answer=_sealer(settings.SECRET_KEY).seal(answer))


def claim(key: str, owner: int, route: str, body: object) -> Claim:
    """Claims the key for this request.

    Raises Replay with the first answer; ConflictError when the key came with another body, or when the first
    request does not finish in time.
    """
    digest = _digest("hedgerow.idempotency.key", json.dumps([owner, route, key]))
    body_digest = _digest("hedgerow.idempotency.body", json.dumps(body, sort_keys=True))
    deadline = time.monotonic() + LONGEST_WAIT
    while not _insert(digest, body_digest):
        first = FirstAnswer.objects.filter(pk=digest).first()
        if first is None:
            continue
        if first.body_digest != body_digest:
            raise ConflictError("This Idempotency-Key was already used with another body.")
        if first.status is not None:
            raise Replay(_response(first))
        if time.monotonic() > deadline:
            raise ConflictError("The first request with this Idempotency-Key is still being worked on.")
        time.sleep(_LOOK_EVERY)
    return Claim(digest)


def _insert(digest: str, body_digest: str) -> bool:
    """Whether the claim is ours. Old ones, and those whose server died, make room."""
    moment = now()
    FirstAnswer.objects.filter(created_at__lt=moment - KEPT).delete()
    FirstAnswer.objects.filter(pk=digest, status=None, created_at__lt=moment - GIVEN_UP).delete()
    try:
        with transaction.atomic():
            FirstAnswer.objects.create(digest=digest, body_digest=body_digest, created_at=moment)
    except IntegrityError:
        return False
    return True


def _response(first: FirstAnswer) -> Response:
    answer = _sealer(settings.SECRET_KEY).open(first.sealed_answer)
    return Response(answer["data"], status=first.status, headers={"Idempotency-Replayed": "true"})


def _digest(salt: str, text: str) -> str:
    return salted_hmac(salt, text, algorithm="sha256").hexdigest()


@lru_cache(maxsize=1)
def _sealer(secret_key: str) -> Sealer:
    return Sealer(secret_key)
