"""The OpenAPI document, generated from the views (api_conventions.md §13)."""

from drf_spectacular.openapi import AutoSchema


class ContractSchema(AutoSchema):
    """How one route appears in the document."""
