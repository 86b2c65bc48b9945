"""Rate limits: off unless switched on; per key, and per address for bad keys."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from hedgerow.api import limits
from hedgerow.api.errors import ThrottledError
from tests.api.conftest import Caller, envelope
from tests.support.people import People


@pytest.fixture
def on(settings: Any) -> None:
    """Limits are switched on."""
    settings.CONFIG = replace(settings.CONFIG, rate_limits=True)


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the stopwatch to so many seconds after the start."""

    def to(seconds: float) -> None:
        monkeypatch.setattr(limits, "monotonic", lambda: 1000.0 + seconds)

    to(0)
    return to


def use(times: int, kind: str = "ordinary", who: str = "key a") -> dict[str, str]:
    headers: dict[str, str] = {}
    for _ in range(times):
        headers = limits.count(kind, who)
    return headers


def test_off_means_no_limits_and_no_headers() -> None:
    assert use(5000) == {}


@pytest.mark.parametrize(("kind", "most"), [("ordinary", 480), ("analytic", 240), ("query", 240)])
def test_a_minute_holds_so_many(on: None, move: Callable[[float], None], kind: str, most: int) -> None:
    assert use(1, kind) == {
        "RateLimit-Limit": str(most),
        "RateLimit-Remaining": str(most - 1),
        "RateLimit-Reset": "60",
    }
    move(18)
    assert use(most - 1, kind)["RateLimit-Remaining"] == "0"
    with pytest.raises(ThrottledError) as caught:
        use(1, kind)
    assert caught.value.wait == 42
    assert caught.value.headers["RateLimit-Remaining"] == "0"
    use(1, kind, "key b")
    move(60)
    assert use(1, kind)["RateLimit-Remaining"] == str(most - 1)


@pytest.mark.parametrize(
    ("kind", "minute", "hour"), [("ordinary", 480, 4800), ("analytic", 240, 1200), ("query", 240, 2400)]
)
def test_an_hour_holds_so_many(on: None, move: Callable[[float], None], kind: str, minute: int, hour: int) -> None:
    minutes = hour // minute
    for n in range(minutes):
        move(61 * n)
        use(minute, kind)
    move(61 * minutes)
    with pytest.raises(ThrottledError) as caught:
        use(1, kind)
    assert caught.value.wait == 3600 - 61 * minutes
    move(3600)
    use(1, kind)


def test_no_request_of_many_threads_is_lost(on: None, move: Callable[[float], None]) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: use(1), range(200)))
    assert use(1)["RateLimit-Remaining"] == str(480 - 201)


def test_old_counters_are_forgotten(on: None, move: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_MANY", 10)
    for n in range(6):
        limits.count("ordinary", f"address {n}")
    move(3601)
    use(1)
    assert len(limits._windows) == 2


def test_a_key_over_its_limit_is_told_when_to_come_back(
    on: None, move: Callable[[float], None], people: People, bob: Caller, alice: Caller, base: str
) -> None:
    assert bob.get(base).headers["RateLimit-Remaining"] == "479"
    use(479, who=f"key {people.bob.api_keys.get().pk}")
    answer = bob.get(base)
    text = "Request was throttled. Expected available in 60 seconds."
    assert envelope(answer) == (429, "throttled", text, None)
    assert answer.json()["type"] == "throttled_error"
    assert answer.headers["Retry-After"] == "60"
    assert answer.headers["RateLimit-Limit"] == "480"
    assert alice.get(base).status_code == 200


def test_every_answer_carries_the_headers(
    on: None, people: People, api: type[Caller], alice: Caller, base: str
) -> None:
    for answer in (alice.get(base), alice.get("/api/projects/999"), alice.send("PUT", base), api("phx_bad").get(base)):
        assert answer.headers["RateLimit-Limit"] == "480"


def test_guessing_keys_is_limited_by_address(
    on: None, move: Callable[[float], None], people: People, api: type[Caller], bob: Caller, base: str
) -> None:
    use(479, who="address 10.1.1.1")
    guesser = api("phx_guess")
    assert guesser.get(base, REMOTE_ADDR="10.1.1.1").status_code == 401
    assert guesser.get(base, REMOTE_ADDR="10.1.1.1").status_code == 429
    assert guesser.get(base, REMOTE_ADDR="10.1.1.2").status_code == 401
    assert bob.get(base, REMOTE_ADDR="10.1.1.1").status_code == 200, "only bad keys count against an address"


def test_guessing_passwords_is_limited_even_for_the_right_one(on: None, people: People, api: type[Caller]) -> None:
    use(480, who="address 127.0.0.1")
    answer = api().post("/api/login/", {"email": "alice@example.com", "password": "x"})
    assert answer.status_code == 429
