"""Schedules: rows with a next time. Any number of them costs one query a look; missed times become one."""

from datetime import datetime, timedelta

from django.db import connection, transaction

from hedgerow.core.clock import now
from hedgerow.work import kinds
from hedgerow.work.models import Beat

BATCH = 200
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def next_time(after: datetime, every_seconds: int, offset_seconds: int) -> datetime:
    """The first `offset + n × every`, counted from midnight UTC of the epoch, that is later than `after`."""
    passed = (after - _EPOCH).total_seconds() - offset_seconds
    return _EPOCH + timedelta(seconds=(passed // every_seconds + 1) * every_seconds + offset_seconds)


def schedule(*, kind: str, subject: str, every_seconds: int, offset_seconds: int) -> None:
    """Make or change a beat, running; its next time is the next on its grid."""
    Beat.objects.update_or_create(
        kind=kind,
        subject=subject,
        defaults={
            "every_seconds": every_seconds,
            "offset_seconds": offset_seconds,
            "paused": False,
            "next_at": next_time(now(), every_seconds, offset_seconds),
        },
    )


def pause(kind: str, subject: str) -> None:
    """Keep the beat, but let it rest."""
    Beat.objects.filter(kind=kind, subject=subject).update(paused=True)


def unschedule(kind: str, subjects: list[str]) -> None:
    """Forget beats."""
    Beat.objects.filter(kind=kind, subject__in=subjects).delete()


def known(kind: str, subject: str) -> bool:
    """Whether there is such a beat, resting or not."""
    return Beat.objects.filter(kind=kind, subject=subject).exists()


def realign() -> None:
    """After the clock was set back: no beat waits longer than its own pace; it would be silent for hours."""
    at = now()
    for every in Beat.objects.values_list("every_seconds", flat=True).distinct():
        far = list(Beat.objects.filter(every_seconds=every, next_at__gt=at + timedelta(seconds=every)))
        for beat in far:
            beat.next_at = next_time(at, every, beat.offset_seconds)
        Beat.objects.bulk_update(far, ["next_at"], batch_size=BATCH)


def strike() -> int:
    """Do what is due now, up to a batch; answers how many beats were due.

    The next time is stored together with what the beat enqueues, so a crash neither loses nor doubles a beat.
    """
    at = now()
    if not Beat.objects.filter(paused=False, next_at__lte=at).exists():
        return 0
    with transaction.atomic():
        rows = Beat.objects.filter(paused=False, next_at__lte=at).order_by("next_at")
        if connection.vendor == "postgresql":
            rows = rows.select_for_update(skip_locked=True)
        beats = list(rows[:BATCH])
        for beat in beats:
            beat.next_at = next_time(at, beat.every_seconds, beat.offset_seconds)
        Beat.objects.bulk_update(beats, ["next_at"])
        for beat in beats:
            due = kinds.get(beat.kind).due
            if due:
                due(beat.subject)
    return len(beats)
