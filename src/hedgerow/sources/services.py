"""Creating, changing and asking about sources: every check of §7.2, 7.4, 7.8 to 7.12 and 8.2, 8.3.

What is said to the outside is said before a transaction is opened: one open while a remote host hesitates would
hold up every other writer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction

from hedgerow.accounts.models import Project, User
from hedgerow.connectors import registry
from hedgerow.core.clock import now
from hedgerow.core.errors import BadRequestError, ConflictError, NotFoundError
from hedgerow.core.secrets import SealError
from hedgerow.files import folders, objects
from hedgerow.sources import change, choose, discovery, inputs, naming, outside, settings, tree
from hedgerow.sources.discovery import Discovered
from hedgerow.sources.models import Source, SourceTable

DESCRIPTION_LENGTH: Final = 400
ATTEMPTS: Final = 20
"""Of changes of settings at once, each may lose so often to another before it is given up."""


# --- creating (§7.2) ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Draft:
    """A source that passed every check and is not stored yet."""

    source_type: str
    prefix: str | None
    description: str | None
    settings: dict[str, Any]
    tables: list[SourceTable]


def check_new(*, project: Project, data: Mapping[str, Any]) -> Draft:
    """Every check of §7.2 in order; connects to the outside and stores nothing. Raises BadRequestError."""
    source_type = known_type(inputs.required(dict(data), "source_type"))
    connector = outside.connector_of(source_type)
    payload = inputs.object_of(inputs.required(_with_payload(data), "payload"), "payload")
    description = _description(data.get("description"))
    prefix = naming.prefix(data.get("prefix"))
    naming.check_characters(prefix)
    naming.check_free(project.id, source_type, prefix)
    checked = outside.connect(connector, payload)
    chosen = choose.given(payload.get("schemas"))
    tables = choose.entries(chosen, outside.tables(connector, checked))
    return Draft(source_type, prefix, description, checked, tables)


def store_new(*, project: Project, user: User | None, draft: Draft) -> Source:
    """Store a draft, and its entry in the tree, in one transaction.

    Raises BadRequestError when another source took the prefix meanwhile.
    """
    source = Source(
        project=project,
        source_type=draft.source_type,
        prefix=draft.prefix,
        prefix_key=naming.prefix_key(draft.prefix),
        description=draft.description,
        sealed_settings=settings.seal(draft.settings),
        revenue_enabled=draft.source_type == "Stripe",
        created_by=user,
    )
    try:
        with folders.changing(project):
            source.save(force_insert=True)
            for table in draft.tables:
                table.source = source
            SourceTable.objects.bulk_create(draft.tables)
            objects.place(project, tree.thing(source))
    except IntegrityError:
        raise naming.taken_error(draft.prefix) from None
    return source


def known_type(value: object) -> str:
    """A name of §15. Raises BadRequestError with code invalid_choice."""
    if isinstance(value, str) and registry.is_known(value):
        return value
    raise inputs.not_a_choice(value, "source_type")


def _with_payload(data: Mapping[str, Any]) -> dict[str, Any]:
    """`job_inputs` stands in for an absent `payload`: the API page knows only that."""
    if data.get("payload") is None and isinstance(data.get("job_inputs"), dict):
        return {"payload": data["job_inputs"]}
    return dict(data)


def _description(value: object) -> str | None:
    return inputs.text(value, "description", max_length=DESCRIPTION_LENGTH)


# --- changing (§6.6, §7.4, §7.8) ---------------------------------------------------------------------------------


def check_update(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What a PATCH of a source may set, checked without looking at the source. Raises BadRequestError."""
    checked: dict[str, Any] = {}
    if "description" in changes:
        checked["description"] = _description(changes["description"])
    if "job_inputs" in changes:
        if not isinstance(changes["job_inputs"], dict):
            raise BadRequestError("Must be an object.", field="job_inputs")
        checked["job_inputs"] = changes["job_inputs"]
    return checked


def update(source: Source, changes: Mapping[str, Any]) -> None:
    """Change description and settings, both or neither; nothing is started (§6.6.8).

    Raises BadRequestError, NotFoundError when the source was deleted meanwhile, ConflictError when others change
    the same source all the time.
    """
    checked = check_update(changes)
    given = checked.pop("job_inputs", None)
    for _ in range(ATTEMPTS):
        current = Source.objects.filter(id=source.id, deleted_at=None).first()
        if current is None:
            raise NotFoundError
        values = {**checked, **(_new_settings(current, given) if given is not None else {})}
        unchanged = Source.objects.filter(id=source.id, deleted_at=None, settings_version=current.settings_version)
        if not values or unchanged.update(**values, updated_at=now()):
            return
    raise ConflictError("The source is being changed by others at the same time.")


def _new_settings(source: Source, given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that hold the merged, checked and tried settings; {} when they are what is stored."""
    connector = outside.connector_of(source.source_type)
    stored = _opened(source, "Source has no configuration.")
    checked = outside.connect(connector, change.merge(connector.spec, stored, given))
    if checked == stored:
        return {}
    return {"sealed_settings": settings.seal(checked), "settings_version": source.settings_version + 1}


def configure_revenue(source: Source, changes: Mapping[str, Any]) -> None:
    """Set the flags of §7.8 that are given. Raises BadRequestError."""
    checked = check_revenue(changes)
    if checked and not Source.objects.filter(id=source.id, deleted_at=None).update(**checked, updated_at=now()):
        raise NotFoundError


def check_revenue(changes: Mapping[str, Any]) -> dict[str, bool]:
    """The flags of §7.8 by the names of their columns. Raises BadRequestError."""
    columns = {"enabled": "revenue_enabled", "include_invoiceless_charges": "revenue_include_invoiceless_charges"}
    return {
        column: inputs.boolean(inputs.not_null(changes[name], name), name)
        for name, column in columns.items()
        if name in changes
    }


def configure(source_table: SourceTable, changes: dict[str, Any]) -> set[str]:
    """Change a table's settings (§8.2, §8.3), all or nothing; starts nothing.

    Answers the fields of SourceTable that changed. Raises BadRequestError, NotFoundError when it was deleted.
    """
    checked = choose.check_changes(changes)
    with transaction.atomic():
        table = (
            SourceTable.objects.select_for_update(no_key=True)
            .filter(id=source_table.id, deleted_at=None, source__deleted_at=None)
            .first()
        )
        if table is None:
            raise NotFoundError
        changed = choose.change(table, checked)
        if changed or "should_sync" in checked:
            # The user has touched it: what the engine thought of it counts no more (§9.8).
            table.switched_off_by_engine, table.unreachable_runs = False, 0
            table.save(update_fields=[*changed, "switched_off_by_engine", "unreachable_runs", "updated_at"])
    return changed


# --- asking (§7.9 to §7.12, §8.5) --------------------------------------------------------------------------------


def preview(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables of a source that does not exist yet (§7.9). Raises BadRequestError."""
    connector = outside.connector_of(_given_type(data))
    checked = outside.connect(connector, data)
    found = outside.tables(connector, checked, count_rows=True)
    return [outside.preview(table) for table in sorted(found, key=lambda table: table.name)]


def check_prefix(project: Project, data: Mapping[str, Any]) -> None:
    """Whether a source could be created with this type and prefix (§7.10). Raises BadRequestError when not."""
    source_type = _given_type(data)
    prefix = naming.prefix(data.get("prefix"))
    naming.check_characters(prefix)
    naming.check_free(project.id, source_type, prefix)


def _given_type(data: Mapping[str, Any]) -> str:
    if data.get("source_type") in (None, ""):
        raise BadRequestError("Missing required parameter: source_type", field="source_type")
    return known_type(data["source_type"])


def wizard() -> dict[str, Any]:
    """Every source type and its form (§4, §7.11)."""
    return registry.wizard()


def refresh(source: Source) -> Discovered:
    """Discovery now, without syncing data (§7.12). Raises BadRequestError with its texts."""
    connector = outside.connector_of(source.source_type)
    stored = _opened(source, "Source has no configuration.")
    try:
        offered = connector.tables(stored, outside.reach())
    except Exception as error:
        raise outside.refresh_error(error) from None
    return discovery.apply(source, offered)


def incremental_fields(source_table: SourceTable) -> dict[str, Any]:
    """What the live source says of this table's columns (§8.5). Raises BadRequestError."""
    source = source_table.source
    connector = outside.connector_of(source.source_type)
    stored = _opened(source, "Missing job inputs")
    outside.connect(connector, stored)
    offered = outside.tables(connector, stored)
    found = next((table for table in offered if table.name == source_table.name), None)
    if found is None:
        raise BadRequestError(f"Schema with name {source_table.name} not found")
    return outside.cursor_details(found)


def _opened(source: Source, text: str) -> dict[str, Any]:
    """The stored settings. Raises BadRequestError with this text when there are none that can be opened."""
    if not source.sealed_settings:
        raise BadRequestError(text)
    try:
        return settings.opened(source)
    except SealError:
        raise BadRequestError(text) from None
