"""Cached answers: as good as new, or not used."""

from datetime import timedelta
from uuid import UUID

from hedgerow.core.clock import now
from hedgerow.core.ids import uuid7
from hedgerow.warehouse import cache
from hedgerow.warehouse.cache import AnswerCache
from hedgerow.warehouse.models import Table

ANSWER = {"results": [[1]], "is_cached": False}


def table(version: int, table_id: UUID) -> Table:
    return Table(id=table_id, version=version)


def test_an_answer_is_found_while_its_tables_stay_as_they_were() -> None:
    answers, orders = AnswerCache(), uuid7()
    answers.keep("key", ANSWER, {"orders": table(1, orders)})
    assert answers.find("key", {"orders": table(1, orders), "other": table(9, uuid7())}) == ANSWER
    assert answers.find("other key", {"orders": table(1, orders)}) is None


def test_an_answer_is_useless_once_a_table_has_changed_or_is_gone_or_hidden() -> None:
    answers, orders = AnswerCache(), uuid7()
    answers.keep("key", ANSWER, {"orders": table(1, orders)})
    assert answers.find("key", {"orders": table(2, orders)}) is None
    assert answers.find("key", {"orders": table(1, uuid7())}) is None
    assert answers.find("key", {}) is None


def test_an_answer_from_old_versions_stays_when_newer_ones_come_until_its_end() -> None:
    answers, orders, people = AnswerCache(), uuid7(), uuid7()
    read = {"orders": table(5, orders), "people": table(1, people)}
    answers.keep("key", ANSWER, read, fixed=["orders"], until=now() + timedelta(hours=1))
    assert answers.find("key", {"orders": table(6, orders), "people": table(1, people)}) == ANSWER
    assert answers.find("key", {"orders": table(6, orders), "people": table(2, people)}) is None
    assert answers.find("key", {"orders": table(5, uuid7()), "people": table(1, people)}) is None
    assert answers.find("key", {"people": table(1, people)}) is None
    answers.keep("key", ANSWER, read, fixed=["orders"], until=now())
    assert answers.find("key", read) is None


def test_nobody_can_change_an_answer_that_is_kept() -> None:
    answers = AnswerCache()
    answers.keep("key", ANSWER, {})
    found = answers.find("key", {})
    assert found is not None
    found["results"].append("changed")
    assert answers.find("key", {}) == ANSWER


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    answers = AnswerCache()
    size = cache.LARGEST_ENTRY // 2
    count = cache.LARGEST_CACHE // size
    for number in range(count):
        answers.keep(str(number), {"text": "x" * size}, {})
        assert answers.find("0", {}) is not None
    assert answers.find("1", {}) is None
    answers.keep("large", {"text": "x" * cache.LARGEST_ENTRY}, {})
    assert answers.find("large", {}) is None


def test_keys_tell_projects_texts_and_values_apart() -> None:
    keys = {
        cache.key(1, "SELECT 1", {}),
        cache.key(2, "SELECT 1", {}),
        cache.key(1, "SELECT 2", {}),
        cache.key(1, "SELECT 1", {"a": 1}),
        cache.key(1, "SELECT 1", {"a": "1"}),
    }
    assert len(keys) == 5
    assert cache.key(1, "x", {"a": 1, "b": 2}) == cache.key(1, "x", {"b": 2, "a": 1})
