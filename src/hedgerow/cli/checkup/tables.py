"""Tables as they lie in the storage, beside what the database knows of them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hedgerow.cli.checkup.report import Check, judged
from hedgerow.core.config import Config
from hedgerow.core.text import human_bytes

if TYPE_CHECKING:
    from hedgerow.lake.inspect import Found
    from hedgerow.sync.health import KnownTable

_CLOCK_TOLERANCE: Final = 30.0


def checks(config: Config) -> Iterator[Check]:
    from hedgerow.lake import inspect
    from hedgerow.lake.storage import Storage
    from hedgerow.sync import health

    storage = Storage(config.storage)
    known = health.known_tables()
    lying = set(inspect.locations(storage))
    pairs = [(table, inspect.inspect(storage, table.location)) for table in known]
    there = [(table, found) for table, found in pairs if found.exists and not found.unreadable]
    yield _readable(pairs)
    yield _complete(there)
    yield _strangers(sorted(lying - {table.location for table in known} - health.locations_to_erase()))
    yield _fences(there)
    yield _leftovers(there, config)
    yield _times(there)


def _readable(pairs: "list[tuple[KnownTable, Found]]") -> Check:
    faults = [f"{table.name}: {found.unreadable}" for table, found in pairs if found.unreadable]
    gone = (table for table, found in pairs if table.has_data and not found.exists)
    faults += [f"{table.name}: {table.location} is not there" for table in gone]
    return judged(
        "tables",
        faults,
        well=f"{len(pairs)}, all can be read",
        wrong="table(s) cannot be read",
        do="Put the table's folder back from a backup, or delete the table's data and reload it from its source.",
    )


def _complete(pairs: "list[tuple[KnownTable, Found]]") -> Check:
    faults = [
        f"{table.name}: {len(found.missing)} file(s) are missing, as {table.location}/{found.missing[0]}"
        for table, found in pairs
        if found.missing
    ]
    return judged(
        "files of tables",
        faults,
        well="all are there",
        wrong="table(s) lack files that their newest version names",
        do="Somebody deleted them: put them back from a backup, or resync the table.",
    )


def _strangers(locations: list[str]) -> Check:
    return judged(
        "unknown tables",
        locations,
        well="none",
        wrong="folder(s) of tables that the database does not know",
        do="They are of no use to this installation. If no other one, and no newer database, uses them, delete them.",
    )


def _fences(pairs: "list[tuple[KnownTable, Found]]") -> Check:
    faults = [
        f"{table.name}: the table has seen start {found.fence}, the database {table.fence}"
        for table, found in pairs
        if found.fence > table.fence
    ]
    return judged(
        "ahead",
        faults,
        well="no table is ahead of the database",
        wrong="table(s) are ahead of the database",
        do="After an older database was restored this is right, and the next run of each goes on above. Else a second "
        "installation writes the same tables: stop it.",
    )


def _leftovers(pairs: "list[tuple[KnownTable, Found]]", config: Config) -> Check:
    orphans = {t.name: list(f.orphans.values()) for t, f in pairs if f.orphans and not t.is_running}
    return judged(
        "leftovers",
        [f"{name}: {len(sizes)} file(s), {human_bytes(sum(sizes))}" for name, sizes in orphans.items()],
        well="none",
        wrong=f"table(s) have files that no version names, {human_bytes(sum(map(sum, orphans.values())))} in all",
        do=f"A run that died left them. They are deleted by the first run of the table that completes more than "
        f"{config.keep_hours} hours later; reload the table then if it is not scheduled.",
    )


def _times(pairs: "list[tuple[KnownTable, Found]]") -> Check:
    faults = [f"{table.name}: by {found.ahead:.0f} s" for table, found in pairs if found.ahead > _CLOCK_TOLERANCE]
    return judged(
        "file times",
        faults,
        well="none lies in the future",
        wrong="table(s) have files of a time that is still to come",
        do="The clock is or was wrong. Set it by NTP; old versions of these tables are kept longer by as much.",
    )
