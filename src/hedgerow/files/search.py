"""The search box: what people type, as tokens, and tokens as conditions on entries (§4.4)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, Value
from django.db.models.expressions import RawSQL
from django.db.models.functions import Cast, Left
from django.db.models.lookups import Exact

from hedgerow.accounts.access import Actor
from hedgerow.accounts.models import User
from hedgerow.files import paths
from hedgerow.files.models import Entry
from hedgerow.files.visible import project_of

MOST_TOKENS: Final = 50
_MOST_TRIGRAMS: Final = 40
_IN_WORDS: Final = ("", "path", "name")
_FIELDS: Final = frozenset({"path", "name", "type", "ref", "user", "author"})
_SHORT_TYPES: Final = frozenset(
    (  # kinds of hog_function that are asked for by their second half
        *("broadcast", "campaign", "destination", "site_app", "source", "transformation"),
        *("internal_destination", "site_destination", "source_webhook"),
    )
)
_FIELD: Final = re.compile(r"([A-Za-z]+):")
_BARE: Final = re.compile(r"\S*")
_BLANKS: Final = re.compile(r"\s*")


@dataclass(frozen=True)
class Token:
    """One thing that must match, or with `negated` must not. `field` is empty for a plain word."""

    field: str
    text: str
    negated: bool = False


def parse(text: str) -> list[Token]:
    """The tokens of a search, at most 50. Never an error: what makes no sense is a plain word."""
    found: list[Token] = []
    for token in _tokens(text):
        if len(found) == MOST_TOKENS:
            break
        found.append(token)
    return found


def _tokens(text: str) -> Iterator[Token]:
    place = _after(_BLANKS, text, 0)
    while place < len(text):
        negated = text[place] in "-!"
        place += negated
        if not negated or (place < len(text) and not text[place].isspace()):
            field = _FIELD.match(text, place)
            name = field[1].lower() if field and field[1].lower() in _FIELDS else ""
            value, place = _value(text, place + (len(name) + 1 if name else 0))
            yield Token(name, value, negated)
        place = _after(_BLANKS, text, place)


def _value(text: str, place: int) -> tuple[str, int]:
    """The value that begins here, and where it ends. Quotes count only when the second ends the token."""
    quote = text[place : place + 1]
    if quote in ("'", '"') and quote:
        partner = text.find(quote, place + 1)
        if partner > 0 and (partner + 1 == len(text) or text[partner + 1].isspace()):
            return text[place + 1 : partner], partner + 1
    end = _after(_BARE, text, place)
    return text[place:end], end


def _after(pattern: re.Pattern[str], text: str, place: int) -> int:
    found = pattern.match(text, place)
    return found.end() if found else place


def condition(actor: Actor, text: str) -> Q:
    """What entries must fulfil to be found. Costs a statement of its own only for `user:` with a name."""
    tokens = parse(text)
    found = Q()
    for token in tokens:
        one = _one(actor, token)
        found &= ~one if token.negated else one
    return found & _by_index(actor, tokens)


def reads_all(text: str) -> bool:
    """Whether the database looks at every entry that this finds, however few are shown.

    Not without any text to look for; nor on SQLite with short ones only, which an index in the usual order answers.
    """
    looked_for = [token for token in parse(text) if token.field in _IN_WORDS]
    return bool(looked_for) if connection.vendor == "postgresql" else bool(_trigrams(looked_for))


def _one(actor: Actor, token: Token) -> Q:
    text = paths.folded(token.text)
    match token.field:
        case "type":
            return _type(token.text)
        case "ref":
            return Q(ref=token.text)
        case "user" | "author":
            return Q(created_by=actor.user) if text == "me" else Q(created_by__in=_makers(actor, text))
        case "path":
            return Q(folders__has=text)
        case "name":
            return Q(name__has=text)
    return Q(words__has=text)


def _type(text: str) -> Q:
    if text.endswith("/"):
        return starts_with("type", text)
    return Q(type=f"hog_function/{text}" if text in _SHORT_TYPES else text)


def starts_with(column: str, text: str) -> Q:
    """Whether the column starts with this text, every character literal and in its case on both databases."""
    return Q(Exact(Left(F(column), len(text)), text)) if text else Q()


def _makers(actor: Actor, text: str) -> list[int]:
    """The people who made entries of the project and whose name or e-mail contains the folded text."""
    made = Entry.objects.filter(project=project_of(actor), created_by=OuterRef("pk"))
    people = User.objects.filter(Exists(made)).values_list("pk", "first_name", "last_name", "email")
    return [
        pk
        for pk, first, last, email in people
        if text in paths.folded(f"{first} {last}") or text in paths.folded(email)
    ]


def _by_index(actor: Actor, tokens: list[Token]) -> Q:
    """What helps the database to use its trigram index, and only the project's own part of that.

    Whatever a word, `path:` or `name:` looks for is in the column `words` too. SQLite is told the trigrams, which find
    more than the text does; PostgreSQL finds them itself, and is told the project as the type that its index holds.
    """
    trigrams = _trigrams(tokens)
    if not trigrams:
        return Q()
    if connection.vendor == "postgresql":
        return Q(project=Cast(Value(project_of(actor).pk), BigIntegerField()))
    chosen = sorted(trigrams, key=lambda each: (" " in each, each))[:_MOST_TRIGRAMS]
    quoted = " AND ".join('"' + each.replace('"', '""') + '"' for each in chosen)
    first = project_of(actor).pk << 40
    rows = RawSQL(
        "SELECT rowid & 1099511627775 FROM files_search WHERE files_search MATCH %s AND rowid BETWEEN %s AND %s",
        (quoted, first, first + (1 << 40) - 1),
    )
    return Q(pk__in=rows)


def _trigrams(tokens: list[Token]) -> set[str]:
    """The trigrams that the column `words` of an entry must have to be found."""
    texts = [paths.folded(token.text) for token in tokens if not token.negated and token.field in _IN_WORDS]
    return {text[start : start + 3] for text in texts for start in range(len(text) - 2)}
