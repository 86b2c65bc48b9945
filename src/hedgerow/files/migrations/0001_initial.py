"""The tables, and what each database needs to find texts in them.

The indexes are written in each database's own SQL. Django does not know of them: a later migration that alters a text
column of an entry has to make its indexes, and on SQLite the triggers, again.
"""

import logging

import django.db.models.deletion
import hedgerow.core.clock
import hedgerow.core.ids
import hedgerow.files.text
from django.db import DatabaseError, migrations, models

from hedgerow.core.errors import ConflictError

log = logging.getLogger(__name__)

SQLITE = (
    "CREATE UNIQUE INDEX files_entry_folder ON files_entry (project_id, path) WHERE type = 'folder'",
    "CREATE INDEX files_entry_path ON files_entry (project_id, path, depth)",
    "CREATE INDEX files_entry_children ON files_entry (project_id, parent, is_file, lower_path, path, uuid)",
    "CREATE INDEX files_entry_sorted ON files_entry (project_id, lower_path, words)",
)
# The rowid of the search index begins with the project, so that a search reads only its own project's part of the index.
SEARCH = (
    """
    CREATE VIRTUAL TABLE files_search
    USING fts5(words, content = '', columnsize = 0, detail = none, tokenize = 'trigram case_sensitive 1')
    """,
    """
    CREATE TRIGGER files_search_insert AFTER INSERT ON files_entry BEGIN
      INSERT INTO files_search (rowid, words) VALUES (new.project_id << 40 | new.id, new.words);
    END
    """,
    """
    CREATE TRIGGER files_search_delete AFTER DELETE ON files_entry BEGIN
      INSERT INTO files_search (files_search, rowid, words)
      VALUES ('delete', old.project_id << 40 | old.id, old.words);
    END
    """,
    """
    CREATE TRIGGER files_search_update AFTER UPDATE OF words ON files_entry WHEN old.words <> new.words BEGIN
      INSERT INTO files_search (files_search, rowid, words)
      VALUES ('delete', old.project_id << 40 | old.id, old.words);
      INSERT INTO files_search (rowid, words) VALUES (new.project_id << 40 | new.id, new.words);
    END
    """,
)
# An exclusion constraint takes texts of any length, which a unique index does not.
POSTGRESQL = (
    """
    ALTER TABLE files_entry ADD CONSTRAINT files_entry_folder
    EXCLUDE USING hash ((project_id::text || '/' || path) WITH =) WHERE (type = 'folder')
    """,
    "CREATE INDEX files_entry_path ON files_entry (project_id, path_start) INCLUDE (depth, id)",
    "CREATE INDEX files_entry_children ON files_entry (project_id, parent_start, is_file, lower_path_start)",
)
EXTENSIONS = ("pg_trgm", "btree_gin")
TRIGRAMS = "CREATE INDEX files_entry_words ON files_entry USING gin (project_id, words gin_trgm_ops)"


def make_indexes(_apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in POSTGRESQL:
            schema_editor.execute(statement)
        _trigrams_of_postgresql(schema_editor)
        return
    for statement in SQLITE:
        schema_editor.execute(statement)
    try:
        for statement in SEARCH:
            schema_editor.execute(statement)
    except DatabaseError as error:
        raise ConflictError(
            f"This SQLite has no trigram search: {error}.",
            hint="Use a Python whose SQLite is version 3.34 or newer, built with FTS5.",
        ) from error


def _trigrams_of_postgresql(schema_editor):
    """Searching works without the index too, only slowly; so a server that does not offer it is no reason to stop."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_available_extensions WHERE name = ANY(%s)", [list(EXTENSIONS)])
        if cursor.fetchone()[0] < len(EXTENSIONS):
            log.warning("PostgreSQL lacks its contrib package (pg_trgm): searching in large trees will be slow.")
            return
    try:
        for extension in EXTENSIONS:
            schema_editor.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    except DatabaseError as error:
        raise ConflictError(
            f"The extensions that searching needs cannot be created: {error}".strip(),
            hint="Let an administrator run CREATE EXTENSION pg_trgm and CREATE EXTENSION btree_gin in this database, "
            "then start again.",
        ) from error
    schema_editor.execute(TRIGRAMS)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Entry",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("uuid", models.UUIDField(default=hedgerow.core.ids.uuid7, editable=False, unique=True)),
                ("path", hedgerow.files.text.CodePointText()),
                ("parent", hedgerow.files.text.CodePointText(blank=True)),
                ("depth", models.PositiveSmallIntegerField()),
                ("type", models.CharField(blank=True, default="", max_length=100)),
                ("ref", models.CharField(max_length=100, null=True)),
                ("href", models.TextField(null=True)),
                ("meta", models.JSONField(default=dict)),
                ("shortcut", models.BooleanField(default=False)),
                ("is_file", models.SmallIntegerField()),
                ("lower_path", hedgerow.files.text.CodePointText()),
                (
                    "path_start",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Left("path", 300),
                        output_field=hedgerow.files.text.CodePointText(),
                    ),
                ),
                (
                    "parent_start",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Left("parent", 300),
                        output_field=hedgerow.files.text.CodePointText(),
                    ),
                ),
                (
                    "lower_path_start",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.functions.text.Left("lower_path", 300),
                        output_field=hedgerow.files.text.CodePointText(),
                    ),
                ),
                ("words", hedgerow.files.text.CodePointText()),
                ("folders", hedgerow.files.text.CodePointText(blank=True)),
                ("name", hedgerow.files.text.CodePointText()),
                ("created_at", models.DateTimeField(default=hedgerow.core.clock.now)),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="accounts.user",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["project", "is_file", "created_at", "uuid"], name="files_entry_recent"),
                    models.Index(fields=["project", "type"], name="files_entry_kind"),
                    models.Index(fields=["project", "ref", "type"], name="files_entry_thing"),
                    models.Index(fields=["created_by", "project"], name="files_entry_maker"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(
                            ("ref__isnull", False), ("shortcut", False), ("type__in", ("external_data_source",))
                        ),
                        fields=("project", "type", "ref"),
                        name="one_original",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Shortcut",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=hedgerow.core.ids.uuid7, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("path", hedgerow.files.text.CodePointText()),
                ("lower_path", hedgerow.files.text.CodePointText()),
                ("type", models.CharField(blank=True, default="", max_length=100)),
                ("ref", hedgerow.files.text.CodePointText(null=True)),
                ("href", models.TextField(null=True)),
                ("order", models.IntegerField()),
                ("created_at", models.DateTimeField(default=hedgerow.core.clock.now)),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="accounts.project"
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.user",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["user", "project", "order"], name="files_shortcut_list")],
            },
        ),
        migrations.CreateModel(
            name="View",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("type", models.CharField(max_length=150)),
                ("ref", models.CharField(max_length=200)),
                ("viewed_at", models.DateTimeField()),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.project",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="accounts.user",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["user", "project", "viewed_at"], name="files_view_latest"),
                    models.Index(fields=["project", "type", "ref"], name="files_view_thing"),
                ],
                "constraints": [models.UniqueConstraint(fields=("user", "project", "type", "ref"), name="one_view")],
            },
        ),
        migrations.RunPython(make_indexes, migrations.RunPython.noop),
    ]
