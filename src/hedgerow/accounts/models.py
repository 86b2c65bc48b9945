"""People, organizations, projects, keys and rules (api_conventions.md §2, §9, §10)."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7


class UserManager(BaseUserManager["User"]):
    """Only what Django's authentication asks for; accounts.services makes users."""


class User(AbstractBaseUser):
    """A person, or a service account without password. E-mail is kept in lower case."""

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    is_email_verified = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=now)
    current_project = models.ForeignKey("Project", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []


class Organization(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=64)
    slug = models.SlugField(max_length=64, unique=True)
    members_can_use_personal_api_keys = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)


class Level(models.IntegerChoices):
    """A membership's level (§9.3)."""

    MEMBER = 1
    ADMIN = 8
    OWNER = 15


class Membership(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    level = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.MEMBER)
    joined_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["organization", "user"], name="one_membership"),)


class Project(models.Model):
    """A project; its one environment has the same id."""

    id = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(default=uuid7, unique=True, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="projects")
    name = models.CharField(max_length=200)
    api_token = models.CharField(max_length=64, unique=True)
    timezone = models.CharField(max_length=64, default="UTC")
    base_currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)


class Role(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="roles")
    name = models.CharField(max_length=200)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(Lower("name"), "organization", name="one_role_name"),)


class RoleMembership(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="memberships")
    membership = models.ForeignKey(Membership, on_delete=models.CASCADE, related_name="roles")
    joined_at = models.DateTimeField(default=now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["role", "membership"], name="one_role_membership"),)


class PersonalAPIKey(models.Model):
    """A key acting for its owner. The value is never stored, only `sha256$<hex>` of it (§2.3)."""

    id = models.CharField(primary_key=True, max_length=50)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    label = models.CharField(max_length=40)
    secure_value = models.CharField(max_length=80, unique=True)
    mask_value = models.CharField(max_length=20)
    scopes = models.JSONField(default=list)
    scoped_teams = models.JSONField(default=list)
    scoped_organizations = models.JSONField(default=list)
    created_at = models.DateTimeField(default=now)
    last_used_at = models.DateTimeField(null=True)
    last_rolled_at = models.DateTimeField(null=True)


class AccessRule(models.Model):
    """(resource, optional object, optional member or role) → level (§10.2). `object_id` empty: the whole resource."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="access_rules")
    resource = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64, blank=True, default="")
    membership = models.ForeignKey(Membership, null=True, on_delete=models.CASCADE, related_name="access_rules")
    role = models.ForeignKey(Role, null=True, on_delete=models.CASCADE, related_name="access_rules")
    level = models.CharField(max_length=16)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["project", "resource", "object_id", "membership", "role"],
                nulls_distinct=False,
                name="one_rule_each",
            ),
            models.CheckConstraint(
                condition=Q(membership__isnull=True) | Q(role__isnull=True),
                name="rule_member_or_role",
            ),
        )
