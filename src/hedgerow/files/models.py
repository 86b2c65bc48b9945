"""The tree, and what people keep of it for themselves (file_system.md §2, §14, §15).

Some indexes are in the migration: each database has its own way to keep folders unique and to find a text by its
middle.
"""

from datetime import datetime

from django.db import models
from django.db.models import Q

from hedgerow.accounts.models import Project, User
from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.files.text import CodePointText, beginning

FOLDER = "folder"
UNIQUE_KINDS = ("external_data_source",)
"""Kinds of objects that have one original entry each, as far as the database itself enforces it."""


class Entry(models.Model):
    """One line of the tree. `uuid` is what the contract calls its id; `id` is what the search index of SQLite keeps.

    `path` is in its one spelling. What follows from it is stored for speed, by `files.derived` alone: `parent` is the
    path of the folder it is in, `lower_path` gives the order without regard to case, and `words` (the readable path,
    a line break, the type), `folders` (all parts but the last, a line each) and `name` (the last part), all folded,
    are what search looks at. `is_file` is 1, and 0 for a folder: a number, since SQLite finds no truth value by an
    index. `created_by` made the entry. `last_viewed_at` is no column: `files.views` sets it for the caller who is
    answered.
    """

    last_viewed_at: datetime | None = None

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    path = CodePointText()
    parent = CodePointText(blank=True)
    depth = models.PositiveSmallIntegerField()
    type = models.CharField(max_length=100, blank=True, default="")
    ref = models.CharField(max_length=100, null=True)  # noqa: DJ001 - the contract says null
    href = models.TextField(null=True)  # noqa: DJ001 - the contract says null
    meta = models.JSONField(default=dict)
    shortcut = models.BooleanField(default=False)
    is_file = models.SmallIntegerField()
    lower_path = CodePointText()
    path_start = beginning("path")
    parent_start = beginning("parent")
    lower_path_start = beginning("lower_path")
    words = CodePointText()
    folders = CodePointText(blank=True)
    name = CodePointText()
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "type", "ref"],
                condition=Q(shortcut=False, ref__isnull=False, type__in=UNIQUE_KINDS),
                name="one_original",
            ),
        )
        indexes = (
            models.Index(fields=["project", "is_file", "created_at", "uuid"], name="files_entry_recent"),
            models.Index(fields=["project", "type"], name="files_entry_kind"),
            models.Index(fields=["project", "ref", "type"], name="files_entry_thing"),
            models.Index(fields=["created_by", "project"], name="files_entry_maker"),
        )


class View(models.Model):
    """When a person last viewed a thing, in the tree or not."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    type = models.CharField(max_length=150)
    ref = models.CharField(max_length=200)
    viewed_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "project", "type", "ref"], name="one_view"),)
        indexes = (
            models.Index(fields=["user", "project", "viewed_at"], name="files_view_latest"),
            models.Index(fields=["project", "type", "ref"], name="files_view_thing"),
        )


class Shortcut(models.Model):
    """A favourite of one person. `ref` of a shortcut to a folder is the folder's path, and follows it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    path = CodePointText()
    lower_path = CodePointText()
    type = models.CharField(max_length=100, blank=True, default="")
    ref = CodePointText(null=True)
    href = models.TextField(null=True)  # noqa: DJ001 - the contract says null
    order = models.IntegerField()
    created_at = models.DateTimeField(default=now)

    class Meta:
        indexes = (models.Index(fields=["user", "project", "order"], name="files_shortcut_list"),)
