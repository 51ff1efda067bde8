"""Runs that a scrape asks for: what it may ask, which run waits, and the reason where there is none."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from runs import record

from probe.config import Config, ScenarioConfig, ScheduleConfig, TargetConfig
from probe.daemon.http_message import Answer, Request
from probe.daemon.on_demand import MAX_WAITING, Found, OnDemand, RefusedError, wanted
from probe.daemon.plans import entries
from probe.daemon.schedule import Entry, Schedule
from probe.record import RunRecord

CONFIG = Config(
    targets={"a": TargetConfig(), "b": TargetConfig()},
    scenarios={"short": ScenarioConfig(), "long": ScenarioConfig()},
    schedules={},
)
TIMEOUT = "x-prometheus-scrape-timeout-seconds"


def request(query: str, **fields: str) -> Request:
    return Request("GET", "/probe", query, {name.replace("_", "-"): value for name, value in fields.items()})


def patient(query: str, seconds: str) -> Request:
    return Request("GET", "/probe", query, {TIMEOUT: seconds})


async def _unwanted(_record: RunRecord) -> None: ...


class Asked:
    """Stands for Runs: runs end when they are let."""

    def __init__(self) -> None:
        self.config = CONFIG
        self.began: list[tuple[str, str, float]] = []
        self.has_begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.at_once = 0
        self.ended = 0
        self.most = 0

    async def asked_for(self, entry: Entry, patience_s: float, found: Found) -> None:
        self.began.append((entry.target.name, entry.scenario.name, patience_s))
        self.has_begun.set()
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await self.may_end.wait()
        self.at_once -= 1
        await found(record(1))
        self.ended += 1

    async def due(self, entry: Entry, at: float) -> None:
        del at
        await self.asked_for(entry, 0.0, _unwanted)

    async def skipped(self, entry: Entry, at: float) -> None: ...

    def missed(self, entry: Entry, runs: int) -> None: ...

    def stepped(self, seconds: float) -> None: ...


@pytest.fixture
def expected() -> list[str]:
    return []


def attached(runs: Asked, expected: list[str] | None = None) -> tuple[OnDemand, Schedule]:
    schedule = Schedule(runs)
    names = [] if expected is None else expected
    page = OnDemand(
        lambda entry: names.append(f"{entry.target.name}/{entry.scenario.name}"),
        lambda _record, _took, accept: (b"figures", accept or "plain"),
        lambda _record: "timeline\n",
    )
    page.attach(runs, schedule)
    return page, schedule


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("", "no target '' is configured; there is: a, b"),
        ("target=", "no target '' is configured; there is: a, b"),
        ("target=c", "no target 'c' is configured; there is: a, b"),
        ("target=http://evil.example.com/", "no target 'http://evil.example.com/' is configured; there is: a, b"),
        ("target=a&scenario=none", "no scenario 'none' is configured; there is: short, long"),
        ("target=a&module=x", "unknown parameter 'module'; there is: target, scenario, debug"),
        ("target=a&target=b", "a parameter is given twice"),
        ("target=a&debug=1", "debug should be true or false, not '1'"),
    ],
)
async def test_what_is_not_configured_is_never_measured(query: str, said: str) -> None:
    runs = Asked()
    page, _ = attached(runs)
    answer = await page.page(request(query))
    assert (answer.status, answer.body.decode()) == (400, f"{said}\n")
    assert runs.began == []


async def test_a_page_of_another_site_has_no_server_work() -> None:
    runs = Asked()
    page, _ = attached(runs)
    answer = await page.page(Request("GET", "/probe", "target=a", {"sec-fetch-site": "cross-site"}))
    assert (answer.status, runs.began) == (403, [])


@pytest.mark.parametrize(("seconds", "patience_s"), [("10", 9.5), ("0.6", 0.3), ("1.5", 1.0), ("3600", 3599.5)])
def test_a_scrape_says_how_long_it_waits(seconds: str, patience_s: float) -> None:
    assert wanted(patient("target=a", seconds)).patience_s == pytest.approx(patience_s)


@pytest.mark.parametrize("seconds", ["", "soon", "nan", "inf", "0", "-1", "3601"])
def test_a_time_that_is_none_is_refused(seconds: str) -> None:
    with pytest.raises(RefusedError, match="should be a number of seconds"):
        wanted(patient("target=a", seconds))


async def test_a_run_is_answered_with_its_own_metrics(expected: list[str]) -> None:
    runs = Asked()
    runs.may_end.set()
    page, _ = attached(runs, expected)
    request = Request("GET", "/probe", "target=b", {"accept": "openmetrics", TIMEOUT: "10"})
    answer = await page.page(request)
    assert answer == await page.page(request) == Answer(answer.status, b"figures", "openmetrics")
    target, scenario, patience_s = runs.began[0]
    assert (target, scenario) == ("b", "short")
    assert 0 < patience_s <= 9.5
    assert expected == ["b/short"]


async def test_the_page_is_made_before_the_sinks_get_the_run_and_once_only() -> None:
    runs = Asked()
    handed_on: list[int] = []

    def render(_record: RunRecord, _took_s: float, _accept: str) -> tuple[bytes, str]:
        handed_on.append(runs.ended)
        return b"figures", "plain"

    page = OnDemand(lambda _: None, render, lambda _: "")
    page.attach(runs, Schedule(runs))
    # Nobody reads the page of a run that took too long.
    assert (await page.page(patient("target=a", "0.1"))).status == 503
    runs.may_end.set()
    assert (await page.page(request("target=a"))).status == 200
    assert handed_on == [1]


async def test_a_page_that_cannot_be_made_loses_no_run() -> None:
    runs = Asked()
    runs.may_end.set()
    page = OnDemand(lambda _: None, lambda *_: (b"figures", ""), lambda _: str(1 // 0))
    page.attach(runs, Schedule(runs))
    with pytest.raises(ZeroDivisionError):
        await page.page(request("target=a&debug=true"))
    assert (await page.page(request("target=a"))).status == 200


async def test_debug_shows_the_timeline_before_the_metrics() -> None:
    runs = Asked()
    runs.may_end.set()
    page, _ = attached(runs)
    answer = await page.page(request("target=a&debug=true", accept="openmetrics"))
    assert answer == Answer(answer.status, b"timeline\n\nfigures")


async def test_before_the_daemon_measures_there_is_a_reason() -> None:
    page = OnDemand(lambda _: None, lambda *_: (b"", ""), lambda _: "")
    answer = await page.page(request("target=a"))
    assert (answer.status, answer.body) == (503, b"the daemon is starting\n")


async def test_a_run_that_takes_longer_than_the_scrape_goes_on() -> None:
    runs = Asked()
    page, schedule = attached(runs)
    answer = await page.page(patient("target=a", "0.1"))
    assert answer.status == 503
    assert answer.body.startswith(b"the run has not ended within 0.05 s; the history")
    assert runs.at_once == 1
    runs.may_end.set()
    # Nobody else's run overlaps it, and it is waited for at the end.
    assert (await page.page(request("target=a"))).status == 200
    assert runs.most == 1
    schedule.start([], parallel=False)
    await schedule.stop(10.0)


async def test_a_scrape_whose_turn_does_not_come_is_refused_and_never_measured() -> None:
    runs = Asked()
    page, _ = attached(runs)
    first = asyncio.ensure_future(page.page(request("target=a")))
    await runs.has_begun.wait()
    late = await page.page(patient("target=b", "0.1"))
    assert (late.status, late.body) == (503, b"other runs took all of the 0.05 s\n")
    runs.may_end.set()
    assert (await first).status == 200
    assert [target for target, _, _ in runs.began] == ["a"]


async def test_a_target_that_a_reload_removes_while_a_scrape_waits_is_not_measured(expected: list[str]) -> None:
    runs = Asked()
    page, _ = attached(runs, expected)
    first = asyncio.ensure_future(page.page(request("target=a")))
    await runs.has_begun.wait()
    waiting = asyncio.ensure_future(page.page(request("target=b")))
    while "b/short" not in expected:  # noqa: ASYNC110 - a thread appends to it
        await asyncio.sleep(0)
    runs.config = Config(targets={"a": TargetConfig()}, scenarios=CONFIG.scenarios, schedules={})
    runs.may_end.set()
    assert (await first).status == 200
    refused = await waiting
    assert (refused.status, refused.body) == (400, b"no target 'b' is configured; there is: a\n")
    assert [target for target, _, _ in runs.began] == ["a"]


async def test_a_scrape_that_goes_away_is_not_measured_unless_its_run_has_begun() -> None:
    runs = Asked()
    page, schedule = attached(runs)
    begun = asyncio.ensure_future(page.page(request("target=a")))
    await runs.has_begun.wait()
    waiting = [asyncio.ensure_future(page.page(request("target=b"))) for _ in range(MAX_WAITING - 1)]
    await asyncio.sleep(0.01)
    for each in (begun, *waiting):
        each.cancel()
    await asyncio.wait((begun, *waiting))
    last = asyncio.ensure_future(page.page(request("target=a&scenario=long")))
    await asyncio.sleep(0.01)
    runs.may_end.set()
    assert (await last).status == 200
    assert [(target, scenario) for target, scenario, _ in runs.began] == [("a", "short"), ("a", "long")]
    assert runs.ended == 2
    schedule.start([], parallel=False)
    await schedule.stop(10.0)


async def test_no_more_than_some_wait() -> None:
    runs = Asked()
    page, _ = attached(runs)
    waiting = [asyncio.ensure_future(page.page(request("target=a"))) for _ in range(MAX_WAITING)]
    await runs.has_begun.wait()
    refused = await page.page(request("target=a"))
    assert refused.status == 503
    assert refused.body.startswith(b"8 probes are waiting already")
    runs.may_end.set()
    assert {(await each).status for each in waiting} == {200}
    assert (runs.most, len(runs.began)) == (1, MAX_WAITING)


async def test_it_does_not_overlap_the_schedule() -> None:
    runs = Asked()
    page, schedule = attached(runs)
    scheduled = Config(schedules={"default": ScheduleConfig(every_s=3600)})
    schedule.start(entries(scheduled), parallel=False)
    await runs.has_begun.wait()
    asked = asyncio.ensure_future(page.page(request("target=a")))
    late = await page.page(patient("target=b", "0.1"))
    assert late.status == 503
    runs.may_end.set()
    assert (await asked).status == 200
    assert runs.most == 1
    await schedule.stop(10.0)


@pytest.fixture
def other_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_it_is_asked_for_on_the_loop_of_the_http_server(other_loop: asyncio.AbstractEventLoop) -> None:
    runs = Asked()
    runs.may_end.set()
    page, _ = attached(runs)
    answer = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(page.page(request("target=a")), other_loop))
    assert answer.status == 200
