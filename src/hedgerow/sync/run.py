"""One run from start to end: the only file that knows the order.

    discover → plan → read ─► write (one Delta commit carrying run, fence and cursor) → tell the database

What if the process dies here? Before the commit nothing is visible and the next start begins again. After the
commit the Delta log itself says "this run is in, and the cursor is here": the next start only tells the database.
"""

import logging
from contextlib import closing
from dataclasses import asdict
from typing import cast

from django.db import InterfaceError, OperationalError, transaction

from hedgerow.connectors import registry
from hedgerow.connectors.contract import BadValues, Connector, Cursor, CursorType, Loss, Reach, Reading, ReadRequest
from hedgerow.connectors.contract import SourceTable as SeenTable
from hedgerow.core import disk, logs
from hedgerow.core.config import Config
from hedgerow.core.errors import (
    AppError,
    ConflictError,
    DiskError,
    InterruptedReadError,
    KeyRequiredError,
    MissingError,
    SourceQueryError,
)
from hedgerow.core.secrets import scrub
from hedgerow.lake import maintain, naming, read, write
from hedgerow.lake.storage import Storage
from hedgerow.sources import discovery, outside, settings, state
from hedgerow.sources.models import SourceTable
from hedgerow.sync import endings, policy
from hedgerow.sync import plan as planning
from hedgerow.sync.endings import Committed, Outcome
from hedgerow.sync.erasing import location_of
from hedgerow.sync.models import Run, RunStatus
from hedgerow.sync.names import DONE, RETRY, UNTOLD
from hedgerow.sync.pipe import ReadAhead
from hedgerow.sync.plan import Mark, Plan, Write
from hedgerow.sync.progress import Counter, Superseded
from hedgerow.sync.progress import write as tell

log = logging.getLogger(__name__)

DATABASE_DOWN = (OperationalError, InterfaceError)
"""Our own database cannot be reached or written. The run is not to blame: it says nothing and is taken up again."""


def execute(run_id: str, fence: int, config: Config) -> int:
    """Work on a run that was started with `fence`. Answers the exit code: DONE, RETRY or UNTOLD."""
    try:
        run = Run.objects.select_related("source_table__source__project").get(id=run_id)
        if run.status != RunStatus.RUNNING or run.fence != fence:
            return DONE
        with logs.about(source=run.source_table.source_id):
            return _work_on(run, config)
    except DATABASE_DOWN as error:
        log.warning("Run %s cannot tell the database how it is, and is taken up again: %s", run_id, error)
        return UNTOLD


def _work_on(run: Run, config: Config) -> int:
    storage = Storage(config.storage)
    try:
        outcome = _bring_up_to_date(run, storage, config)
        endings.complete(run, outcome)
    except (Superseded, ConflictError):
        log.info("Run %s was taken over or cancelled; this start ends without a word", run.id)
        return DONE
    except DATABASE_DOWN:
        raise
    except Exception as error:
        return _tell_failed(run, _of_a_disk(run, error) or error)
    log.info("Run %s of %s completed: %d rows", run.id, run.source_table.name, outcome.rows)
    _tidy(run, storage, config)
    return DONE


def _bring_up_to_date(run: Run, storage: Storage, config: Config) -> Outcome:
    source_table = run.source_table
    location = location_of(source_table)
    known = read.state(storage, location)
    if known and known.run == str(run.id):
        return Outcome(run.rows_synced, known.version, known.row_count, known.columns, Mark.load(known.cursor))
    if known and known.fence >= run.fence:
        _overtake(run, known.fence)
    connector = _connector(source_table.source.source_type)
    seen = _discover(source_table, connector, outside.reach())
    wanted = planning.Wanted(
        sync_type=source_table.sync_type or "",
        cursor_field=source_table.cursor_field,
        key=planning.merge_key(source_table.key_columns, seen),
        reload_all=source_table.reload_all,
        identity=seen.identity,
        cursor_order=planning.order_of(source_table.cursor_field, seen),
    )
    plan = planning.make(wanted, exists=known is not None, mark=Mark.load(known.cursor) if known else None)
    if plan.find_mark and plan.cursor_field:
        stored = naming.column_names(c.name for c in seen.columns).get(plan.cursor_field, plan.cursor_field)
        found = read.maximum(storage, location, stored)
        plan = Plan(plan.write, plan.cursor_field, found, key=plan.key) if found else planning.without_mark(plan)
    return _copy(run, plan, seen, connector, storage, config, base=known.fence if known else 0)


def _overtake(run: Run, other: int) -> None:
    """Start above a fence that only the table knows, as after a restored backup. Raises Superseded."""
    with transaction.atomic():
        fence = state.overtake(run.source_table, run.fence, other)
        if fence is None:
            raise Superseded
        tell(run, fence=fence)
    run.fence = fence


def _discover(source_table: SourceTable, connector: Connector, reach: Reach) -> SeenTable:
    """Compare the whole source with what is known of it (§9.6). Raises MissingError when this table is gone."""
    source = source_table.source
    tables = connector.tables(settings.opened(source), reach)
    discovery.apply(source, tables)
    seen = next((t for t in tables if t.name == source_table.name), None)
    if seen is None:
        raise MissingError(f'Table "{source_table.name}" does not exist in the source.')
    return seen


def _copy(
    run: Run, plan: Plan, seen: SeenTable, connector: Connector, storage: Storage, config: Config, *, base: int
) -> Outcome:
    """Read what the plan says and write it in one commit, if the table's last commit is still that of fence `base`."""
    source_table = run.source_table
    opened = settings.opened(source_table.source)
    reach = outside.reach()
    if plan.check_key and not connector.check_key(opened, reach, source_table.name, plan.key):
        raise KeyRequiredError("The primary keys for this table are not unique")
    tell(run, stage="reading", cursor_from=plan.after, rows_synced=0)
    request = ReadRequest(
        table=source_table.name,
        cursor=_cursor(source_table, plan),
        key=plan.key,
        memory_mib=config.sync_memory_mib,
        bad_values=cast(BadValues, source_table.bad_values),
    )
    counter = Counter(run)
    with connector.read(opened, reach, request) as reading, closing(ReadAhead(reading.batches)) as batches:
        marks: list[Mark] = []
        _check_same(plan, seen, reading)

        def finish() -> write.CommitFacts:
            mark = _mark(plan, seen, reading)
            marks.append(mark)
            tell(run, stage="committing", rows_synced=counter.rows, losses=_losses(reading.losses))
            moved = mark.value is not None and reading.seen_moved
            return write.CommitFacts(str(run.id), run.fence, mark.dump(), base, always=moved)

        table = (storage, location_of(source_table), reading.schema)
        if plan.write is Write.MERGE:
            written = write.merge(*table, batches, finish, counter.add, plan.key)
        elif plan.write is Write.APPEND:
            written = write.append(*table, batches, finish, counter.add)
        else:
            written = write.replace(*table, batches, finish, counter.add)
    whole = plan.write is Write.REPLACE
    committed = Committed(discovery.seen(seen), whole) if whole or written.rows else None
    return Outcome(written.rows, written.version, written.row_count, written.columns, marks[-1], committed)


def _connector(source_type: str) -> Connector:
    try:
        return registry.get(source_type)
    except KeyError:
        raise SourceQueryError(
            f"This server has no connector for {source_type}.",
            hint="Install a version of Hedgerow that has it, or delete the source.",
        ) from None


def _cursor(source_table: SourceTable, plan: Plan) -> Cursor | None:
    if not plan.cursor_field or not source_table.cursor_field_type:
        return None
    return Cursor(plan.cursor_field, cast(CursorType, source_table.cursor_field_type), plan.after, plan.seen)


def _check_same(plan: Plan, seen: SeenTable, reading: Reading) -> None:
    """Raises InterruptedReadError when a read that goes on from a mark met another table than discovery did."""
    if plan.write is not Write.REPLACE and reading.identity not in (None, seen.identity):
        raise InterruptedReadError("The table was made anew in the source while the run began.")


def _mark(plan: Plan, seen: SeenTable, reading: Reading) -> Mark:
    """What is now in the table: the greatest cursor value is that of the rows read, else where this run began."""
    value = reading.cursor_to if reading.cursor_to is not None else plan.after
    return Mark(
        plan.cursor_field,
        value,
        reading.seen,
        planning.order_of(plan.cursor_field, seen),
        reading.identity or seen.identity,
        plan.key or None,
    )


def _losses(losses: dict[str, Loss]) -> dict[str, dict[str, object]]:
    """As the run keeps them; and a line in the log for each column."""
    for column, loss in losses.items():
        log.warning("Column %s: %d values could not be stored: %s", column, loss.count, loss.reason)
    return {column: asdict(loss) for column, loss in losses.items()}


def _of_a_disk(run: Run, error: Exception) -> DiskError | None:
    """What the user reads when a disk of ours is to blame; the log keeps what the library said."""
    found = disk.explain(error)
    if found is not None:
        log.warning("Run %s of %s: %s", run.id, run.source_table.name, error)
    return found


def _tell_failed(run: Run, error: Exception) -> int:
    """Decide, tell the database, and answer the exit code."""
    source_table = run.source_table
    decision = policy.decide(
        _scrubbed(source_table, error),
        sync_type=str(source_table.sync_type),
        attempt=run.attempts,
        waited=run.waited_seconds,
        unreachable_before=source_table.unreachable_runs,
    )
    if isinstance(error, AppError):
        log.warning("Run %s of %s: %s", run.id, source_table.name, error.code)
    else:
        log.error("Run %s of %s met an unexpected error", run.id, source_table.name, exc_info=error)
    try:
        if isinstance(decision, policy.Retry):
            waited = run.waited_seconds + decision.delay
            tell(run, stage="waiting", next_delay=decision.delay, waited_seconds=waited)
            return RETRY
        endings.fail(run, decision)
    except Superseded:
        return DONE
    return DONE


def _scrubbed(source_table: SourceTable, error: Exception) -> Exception:
    """The error with every stored secret out of its text (§6.4)."""
    if isinstance(error, AppError):
        error.message = scrub(error.message, settings.secrets_of(source_table.source))
    return error


def _tidy(run: Run, storage: Storage, config: Config) -> None:
    """Join small files, drop old versions. The run has ended well already; what fails here is only logged."""
    try:
        maintain.tidy(storage, location_of(run.source_table), config.keep_hours)
    except Exception:
        log.exception("Could not tidy the table of run %s; the next run tries again", run.id)
