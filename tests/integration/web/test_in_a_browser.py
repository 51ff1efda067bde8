"""The pages in a real browser: nothing, one run and a hundred thousand; live, by keyboard, and for everybody."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import a_day
import many_runs
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has no types
from browser import Visit, chromium, visit
from playwright.sync_api import Browser, Page, expect
from runs import hearing, record

from probe.history.reader import reading
from probe.record import RunRecord

S = 10**9
START_S = 60
MANY = 100_000
TARGETS = [f"t{n:02}" for n in range(20)]
HOSTILE = '<script>document.title="owned"</script><img src=x onerror=document.title="owned">'
# A machine whose cores are busy may take long to start a browser.
pytestmark = pytest.mark.timeout(300)
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser(pytestconfig: pytest.Config) -> Iterator[Browser]:
    with chromium(pytestconfig) as found:
        yield found


@contextmanager
def served(state_dir: Path, *options: str) -> Iterator[str]:
    """`probe web` as a process of its own; the address that it prints."""
    command = [sys.executable, "-m", "probe", "web", "--port", "0", "--state-dir", str(state_dir), *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
    ) as web:
        try:
            assert web.stdout is not None
            yield web.stdout.readline().strip()
        finally:
            web.terminate()
            web.wait(START_S)


class Site:
    """One server, and the history that it shows, which a test chooses."""

    def __init__(self, folder: Path, address: str) -> None:
        self.address = address
        self._folder = folder
        self._link = folder / "shown"

    def show(self, name: str) -> Path:
        """Have it serve the history of this name, which is made where it is not there yet."""
        history = self._folder / name
        if not history.exists():
            history.mkdir()
            _MADE[name](history)
        new = self._folder / "new"
        new.symlink_to(history)
        new.replace(self._link)
        return history


def keep(state_dir: Path, *records: RunRecord) -> None:
    many_runs.keep(state_dir, records)


def _one(folder: Path) -> None:
    keep(folder, record(1, started=time.time_ns() - 5 * S, target="spark"))


def _hears(folder: Path) -> None:
    began = time.time_ns() - 3000 * S
    keep(folder, *(replace(hearing(number), started=began + number * 30 * S) for number in range(1, 100)))


def _hostile(folder: Path) -> None:
    made = record(1, started=time.time_ns() - 5 * S, target=HOSTILE)
    first, *others = made.turns[0].chunks
    said = replace(made.turns[0], user=HOSTILE, chunks=(replace(first, text=HOSTILE), *others))
    keep(folder, replace(made, turns=(said,), doubts=(HOSTILE,)))


# How many points of the chart have the colour of its line: the axes and their texts are lighter.
DRAWN = """(() => {
    const canvas = document.querySelector("#chart canvas");
    const points = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    let found = 0;
    for (let at = 0; at < points.length; at += 4) {
        if (points[at] < 60 && points[at + 1] < 60 && points[at + 2] < 60 && points[at + 3] > 200) found += 1;
    }
    return found;
})()"""


def drawn(page: Page, enough: Callable[[int], bool]) -> int:
    """How many dark points the chart has, once there are enough: it is drawn after the words below it."""
    for _ in range(400):
        if enough(points := int(page.evaluate(DRAWN))):
            break
        page.wait_for_timeout(50)
    return points


_MADE: dict[str, Callable[[Path], None]] = {
    "none": keep,
    "one": _one,
    "live": _one,
    "hears": _hears,
    "hostile": _hostile,
    "week": lambda folder: a_day.write(folder, time.time_ns(), days=1),
    "many": lambda folder: many_runs.fill(
        folder, runs=MANY, targets=[f"t{n:02}" for n in range(20)], until=time.time_ns() - S
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("web")
    # One user's own file permissions are those of a history.
    with served(folder / "shown") as address:
        yield Site(folder, address)


@contextmanager
def opened(browser: Browser, site: Site, **how: str) -> Iterator[Visit]:
    """A window that has the key of the printed address."""
    base, _, key = site.address.partition("/?")
    with visit(browser, base, **how) as found:  # type: ignore[arg-type]  # a theme
        found.open(f"/?{key}")
        yield found


def a_run(state_dir: Path) -> str:
    with reading(state_dir) as reader:
        return f"/runs/{reader.last().plan.run_id}"


@pytest.mark.parametrize("name", ["none", "one", "many"])
def test_every_page_of_every_size(name: str, browser: Browser, site: Site) -> None:
    """Nothing is asked from elsewhere, nothing is refused by the policy, and no page is large."""
    state_dir = site.show(name)
    paths = ["/", "/runs", "/drift", "/compare"] + ([a_run(state_dir)] if name != "none" else [])
    with opened(browser, site) as window:
        for path in paths:
            page = window.open(path)
            assert len(page.content()) < 200_000
            expect(page.locator("h1")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        page = window.open("/")
        expect(page.locator("article.card")).to_have_count({"none": 0, "one": 1, "many": 20}[name])


def test_filters_sorting_and_pages(browser: Browser, site: Site) -> None:
    site.show("many")
    with opened(browser, site) as window:
        page = window.open("/runs")
        page.get_by_label("Target").select_option("t07")
        page.get_by_label("Outcome").select_option("ok")
        page.get_by_role("button", name="Show").click()
        rows = page.locator("table.runs tbody tr")
        expect(rows).to_have_count(50)
        assert set(rows.locator("td:nth-child(2)").all_inner_texts()) == {"t07"}
        assert set(rows.locator("td:nth-child(4)").all_inner_texts()) == {"ok"}
        page.get_by_role("link", name="Wait (ms)").click()
        page.wait_for_url("**sort=slowest**")
        waits = [*map(int, rows.locator("td:nth-child(5)").all_inner_texts())]
        assert waits == sorted(waits, reverse=True)
        page.get_by_role("link", name=re.compile("Next 50")).click()
        page.wait_for_url("**at=after**")
        further = [*map(int, rows.locator("td:nth-child(5)").all_inner_texts())]
        assert len(further) == 50 and further[0] <= waits[-1]
        page.get_by_role("link", name=re.compile("Previous 50")).click()
        page.wait_for_url("**at=before**")
        assert [*map(int, rows.locator("td:nth-child(5)").all_inner_texts())] == waits


def test_a_finished_run_appears_by_itself(browser: Browser, site: Site) -> None:
    """Another process than the server keeps it; the page is not loaded again, and what has the focus keeps it."""
    state_dir = site.show("live")
    with opened(browser, site) as window:
        page = window.open("/")
        expect(page.locator("main")).to_have_attribute("data-connected", "yes")
        page.evaluate("window.same = true")
        link = page.locator("article.card", has_text="spark").get_by_role("link", name="Slowest of the day")
        link.focus()
        keep(state_dir, record(77, started=time.time_ns() - 2 * S, target="fresh", ttfb_ms=777))
        expect(page.get_by_text("First byte 777 ms, within 1000 ms")).to_be_visible()
        assert page.evaluate("window.same") is True
        expect(link).to_be_focused()


def test_by_keyboard_alone(browser: Browser, site: Site) -> None:
    site.show("week")
    with opened(browser, site) as window:
        page = window.open("/")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent") == "Last run":
                break
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid"
        page.keyboard.press("Enter")
        page.wait_for_url("**/runs/2**")
        page = window.open("/drift?target=office")
        box = page.get_by_label("TTS TTFB")
        box.focus()
        page.keyboard.press("Space")
        expect(box).to_be_checked()
        page.locator("#values summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#values-of tbody tr").first).to_be_visible()


def test_the_chart_of_a_series_that_has_become_slower(browser: Browser, site: Site) -> None:
    site.show("week")
    with opened(browser, site) as window:
        page = window.open("/drift")
        expect(page.locator("h2")).to_have_text("office, default")
        expect(page.locator("p.verdict")).to_contain_text(re.compile(r"Combined TTFB \+\d\d % since"))
        expect(page.locator("#chart canvas")).to_be_visible()
        expect(page.locator("table.changes tbody tr")).to_have_count(1)
        expect(page.locator("#chart-note")).to_contain_text("Lines are medians")
        assert drawn(page, lambda points: points > 500) > 500
        page.locator("#chart .u-over").hover()
        expect(page.locator("#chart-note")).to_contain_text(re.compile(r"\d runs, \d+ failed. combined TTFB \d+ ms"))


def test_the_chart_of_a_target_that_hears(browser: Browser, site: Site) -> None:
    """Its whole wait, and each stage of it."""
    site.show("hears")
    with opened(browser, site) as window:
        page = window.open("/drift")
        expect(page.get_by_label("voice to voice")).to_be_checked()
        expect(page.locator("#chart-note")).to_contain_text("Lines are medians")
        assert drawn(page, lambda points: points > 500) > 500
        page.get_by_label("transcription").check()
        page.locator("#chart .u-over").hover()
        expect(page.locator("#chart-note")).to_contain_text(
            re.compile(r"voice to voice 1200 ms \(1200 to 1200\); transcription 300 ms")
        )
        page.locator("#values summary").click()
        expect(page.locator("#values-of th")).to_have_text([
            "From (UTC)", "Runs", "Failed", "voice to voice (ms)", "endpointing (ms)", "transcription (ms)",
            "LLM TTFT (ms)", "LLM decoding (ms)", "TTS TTFB (ms)",
        ])  # fmt: skip


def test_the_chart_shows_a_run_that_stands_alone(browser: Browser, site: Site) -> None:
    """As do all those of a day with a run every ten minutes: between empty columns there is no line."""
    site.show("one")
    with opened(browser, site) as window:
        page = window.open("/drift")
        expect(page.locator("#chart-note")).to_contain_text("Lines are medians")
        assert 10 < drawn(page, lambda points: 10 < points < 500) < 500


@pytest.mark.parametrize(("theme", "rules"), [("light", None), ("dark", ["color-contrast"])])
def test_everybody_can_use_it(theme: str, rules: list[str] | None, browser: Browser, site: Site) -> None:
    """axe-core: no serious or critical finding on any page. Themes differ in colours alone."""
    state_dir = site.show("week")
    comparison = "/compare?a=office&a_since=2d&a_until=1d&b=hall"
    options = {} if rules is None else {"runOnly": rules}
    with opened(browser, site, theme=theme) as window:
        for path in ("/", "/runs", a_run(state_dir), "/drift?target=office", comparison):
            found = Axe().run(window.open(path), options=options).response["violations"]
            severe = [each for each in found if each["impact"] in ("serious", "critical")]
            nodes = [(path, each["id"], node["html"][:200]) for each in severe for node in each["nodes"][:3]]
            assert nodes == []


def test_hostile_texts_stay_texts(browser: Browser, site: Site) -> None:
    state_dir = site.show("hostile")
    with opened(browser, site) as window:
        for path in ("/", "/runs", a_run(state_dir), "/drift", "/compare"):
            page = window.open(path)
            assert HOSTILE[:20] in page.locator("main").text_content() or path == "/compare"  # type: ignore[operator]
            assert page.title() != "owned"
            assert page.locator("img").count() == 0


def test_a_stranger_finds_the_stall(browser: Browser, site: Site) -> None:
    """Its first byte came in time, so the run is ok: from the page Now it is one click away, and named there."""
    site.show("week")
    with opened(browser, site) as window:
        page = window.open("/")
        card = page.locator("article.card", has_text="The speech stopped for 2.4 s")
        expect(card.locator("h2")).to_have_text("hall, default")
        assert card.locator("h2").is_visible()
        card.get_by_role("link", name="Last run").click()
        page.wait_for_url("**/runs/2**")
        expect(page.locator("main")).to_contain_text(re.compile(r"2\.4\d* s|24\d\d ms"))


def test_it_fits_a_phone(browser: Browser, site: Site) -> None:
    state_dir = site.show("week")
    with opened(browser, site) as window:
        window.page.set_viewport_size({"width": 390, "height": 844})
        for path in ("/", "/runs", a_run(state_dir), "/drift", "/compare"):
            page = window.open(path)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
