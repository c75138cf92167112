"""How fast it may go, how slow it may get, and how long it is waited: arithmetic, with a clock that tests turn."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from envkit.errors import InputError, ModelError
from envkit.models.transfer.answers import TransientError
from envkit.models.transfer.rate import Limiter
from envkit.models.transfer.retry import Backoff
from envkit.models.transfer.watch import Watch
from tests.support.fetching import Fetcher, digests
from tests.support.model_project import ModelProject, entry, states
from tests.support.model_server import Answer, ModelServer
from tests.support.wait import until

MIB = 1 << 20
BODY = random.Random(4).randbytes(MIB)  # noqa: S311


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


# --- --limit-rate ----------------------------------------------------------------------------------------------------


def test_what_came_is_paid_for_with_waiting() -> None:
    limiter = Limiter(1000, clock := Clock())
    assert limiter.delay(500) == pytest.approx(0.5)
    clock.now += 0.5
    assert limiter.delay(2000) == pytest.approx(2.0)


def test_all_connections_pay_into_one_purse() -> None:
    limiter = Limiter(1000, Clock())
    assert [limiter.delay(100) for _ in range(8)] == pytest.approx([0.1 * count for count in range(1, 9)])


def test_nothing_is_saved_up_while_nothing_comes() -> None:
    limiter = Limiter(1000, clock := Clock())
    limiter.delay(100)
    clock.now += 3600
    assert limiter.delay(100) == pytest.approx(0.1)


def test_whoever_waits_as_told_is_exactly_that_fast() -> None:
    limiter, dice = Limiter(50 * MIB, clock := Clock()), random.Random(1)  # noqa: S311
    came = 0
    for _ in range(1000):
        amount = dice.randrange(1, limiter.chunk + 1)
        came += amount
        clock.now += limiter.delay(amount) + dice.choice([0.0, 0.0, 0.001])
    assert came / (clock.now - Clock.now) <= 50 * MIB


@pytest.mark.parametrize(("rate", "chunk"), [(1024, 1024), (1 << 20, (1 << 20) // 20), (1 << 40, 1 << 20)])
def test_little_is_read_at_a_time_where_little_is_allowed(rate: int, chunk: int) -> None:
    assert Limiter(rate).chunk == chunk


def test_every_byte_of_a_sync_is_counted(
    server: ModelServer, project: ModelProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked: list[int] = []
    largest: list[int] = []

    def book(self: Limiter, amount: int) -> float:
        booked.append(amount)
        largest.append(self.chunk)
        return 0.0

    monkeypatch.setattr(Limiter, "delay", book)
    project.environ["ENVKIT_LIMIT_RATE"] = "1M"
    small = BODY[:1000]
    project.declare(
        entry("net", server.serve("/net.bin", Answer(BODY, ranges=True)), BODY),
        entry("small", server.serve("/small.bin", small), small),
    )
    assert states(project.sync()) == {"net": "fetched", "small": "fetched"}
    assert sum(booked) == len(BODY) + len(small)
    assert max(booked) <= min(largest) == MIB // 20


@pytest.mark.parametrize("body", [BODY, BODY[:2000]], ids=["large", "little"])
def test_who_is_told_to_stop_does_not_wait_for_its_turn(server: ModelServer, fetcher: Fetcher, body: bytes) -> None:
    fetcher.limiter = Limiter(1)  # a quarter of an hour for what is read at once
    url = server.serve("/a", Answer(body, ranges=True))
    with ThreadPoolExecutor(1) as pool:
        fetching = pool.submit(fetcher, url, expected=digests(body))
        until(lambda: fetcher.limiter and fetcher.limiter._free, "bytes have come")
        fetcher.crew.run((), lambda _: None, 1)  # ends what the crew is at
        with pytest.raises(ModelError, match="interrupted"):
            fetching.result(20)


@pytest.mark.parametrize("rate", ["fast", "0", "1", "-5M", "50 M", "5T"])
def test_a_rate_that_is_none_is_refused(project: ModelProject, rate: str) -> None:
    project.declare()
    project.environ["ENVKIT_LIMIT_RATE"] = rate
    with pytest.raises(InputError, match="expected bytes per second"):
        project.sync()


# --- the watchdog ----------------------------------------------------------------------------------------------------


def test_what_crawls_for_half_a_minute_has_stalled() -> None:
    watch = Watch(clock := Clock())
    for _ in range(29):
        clock.now += 1
        watch.came(100)
    clock.now += 1
    with pytest.raises(TransientError, match="the transfer stalled: 3000 bytes in 30 s"):
        watch.came(100)


def test_what_is_slow_goes_on() -> None:
    watch = Watch(clock := Clock())
    for _ in range(600):
        clock.now += 1
        watch.came(1100)


def test_what_becomes_slow_is_noticed_however_fast_it_was() -> None:
    watch = Watch(clock := Clock())
    watch.came(100 * MIB)
    clock.now += 30
    watch.came(1)
    clock.now += 30
    with pytest.raises(TransientError, match="stalled"):
        watch.came(1)


def test_the_end_is_no_stall() -> None:
    watch = Watch(clock := Clock())
    clock.now += 100
    watch.came(0)


def test_waiting_of_our_own_is_no_stall() -> None:
    watch = Watch(clock := Clock())
    for _ in range(100):
        clock.now += 10
        watch.paused(9.9)
        watch.came(200)


# --- trying again ----------------------------------------------------------------------------------------------------


def test_waiting_grows_with_jitter_up_to_a_limit() -> None:
    backoff = Backoff(attempts=10, first=0.5, longest=4.0)
    delays = [backoff.delay(failures, TransientError("busy")) or 0.0 for failures in range(1, 10)]
    ceilings = [0.5, 1, 2, 4, 4, 4, 4, 4, 4]
    assert all(ceiling / 2 <= delay <= ceiling for delay, ceiling in zip(delays, ceilings, strict=True))
    assert len(set(delays)) == len(delays)
    assert backoff.delay(10, TransientError("busy")) is None


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [(None, 0.25, 0.5), (0.0, 0.25, 0.5), (0.1, 0.25, 0.5), (7.0, 7.0, 7.0), (30.0, 30.0, 30.0)],
)
def test_a_server_is_left_alone_for_as_long_as_it_asks(asked: float | None, least: float, most: float) -> None:
    delay = Backoff().delay(1, TransientError("busy", asked))
    assert delay is not None
    assert least <= delay <= most


@pytest.mark.parametrize("asked", [30.1, 86400.0, float("inf")])
def test_a_server_that_asks_for_longer_is_not_waited_for(asked: float) -> None:
    assert Backoff().delay(1, TransientError("busy", asked)) is None
