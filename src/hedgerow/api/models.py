"""First answers to requests that carry an Idempotency-Key."""

from django.db import models

from hedgerow.core.clock import now


class FirstAnswer(models.Model):
    """One POST that carried an Idempotency-Key. `status` is null while it is being worked on.

    `digest` is of owner, route and key; `body_digest` of the body, keyed with the installation's secret. The
    answer is sealed: it may hold what is shown only once.
    """

    digest = models.CharField(max_length=64, primary_key=True)
    body_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)
    sealed_answer = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=now, db_index=True)
