"""The page of a span of time: figures, the chart, changes and failures."""

from dataclasses import replace

from runs import PLAN, failed, refused

from probe.drift import Moved, Shift, Verdict
from probe.drift.fingerprint import Fingerprint
from probe.drift.series import Point
from probe.plan import Target
from probe.record import Outcome, RunRecord
from probe.report.html import period_page
from probe.report.html.figures import ago, milliseconds, percent
from probe.report.html.period_page import Series, reasons
from probe.report.html.wait_chart import HEIGHT, chart
from probe.report.period import fold

HOUR = 3600 * 10**9
DAY = 24 * HOUR
SINCE = 20_000 * DAY
UNTIL = SINCE + 7 * DAY


def point(hour: int, ms: float | None = 500, outcome: Outcome = "ok") -> Point:
    return Point(f"r{hour}", SINCE + hour * HOUR, outcome, Fingerprint("", "", ""), (ms, None, None, None))


POINTS = [point(0, 400), point(0, 600), point(30, 1600, "slow"), point(31, None, "failed"), point(32, None, "skipped")]
PERIOD = fold(POINTS, SINCE, UNTIL)
SHIFT = Shift(
    since=SINCE + DAY, found=SINCE + DAY + HOUR, until=None, direction="slower", stage="tts_ttfb", confidence=0.9,
    before=("r1",), after=("r2",), moved=(Moved("combined_ttfb", 500, 700, certain=True),),
)  # fmt: skip


def page(target: Target = PLAN.target, failures: tuple[RunRecord, ...] = ()) -> str:
    found, looked_at = reasons(failures)
    verdict = Verdict("learning", 3, None, (), 0, None, ())
    series = Series(target, "default", PERIOD, verdict, [SHIFT], found, looked_at)
    return period_page.fragment([series], SINCE, UNTIL)


def test_the_figures_of_a_target() -> None:
    text = page()
    assert "local, default" in text and "2024-10-04 00:00:00 UTC to 2024-10-11 00:00:00 UTC" in text
    assert "50 %" in text and "2 ok, 1 slow, 1 failed" in text and "first byte within 1000 ms" in text
    assert "600 ms" in text, "the median of the three waits"
    assert "combined TTFB +40 %" in text and "5 Oct 00:00 UTC" in text


def test_failures_are_counted_by_server_and_reason() -> None:
    text = page(failures=(failed(), failed(2), refused()))
    assert '<td>TTS</td><td>tts</td><td>no_audio</td><td class="number">2</td><td><code>20231114T221320Z-000002' in text
    assert "start the server, or correct host and port in its URL" in text and "hunter" not in text


def test_the_objective_of_another_measure_is_no_line_in_the_chart() -> None:
    assert 'class="objective"' in page()
    assert 'class="objective"' not in page(replace(PLAN.target, objective_measure="response_ttfa"))


def test_the_chart_has_a_column_per_hour_with_runs() -> None:
    found = chart(PERIOD, 1000, [(SINCE + DAY, "slower")])
    assert found is not None and found.objective is not None
    assert [round(each.x * 1.68, 2) for each in found.columns] == [0, 30, 31, 32]
    first, slow, lost, skipped = found.columns
    assert first.p50 is not None and first.p95 is not None and first.p95 < first.p50 < HEIGHT
    assert slow.missed == 1 and "1 of 1 not within the objective" in slow.title
    assert lost.p50 is None and "median \N{EN DASH}" in lost.title and skipped.missed == 0
    assert [each.text for each in found.marks] == [f"{day} Oct" for day in range(4, 11)]
    assert [(round(each.x * 7), each.text) for each in found.changes] == [(100, "slower")]


def test_one_slow_hour_does_not_press_all_others_flat() -> None:
    many = fold([point(hour, 90_000 if hour == 50 else 500) for hour in range(160)], SINCE, UNTIL)
    found = chart(many, None)
    assert found is not None
    # The axis reaches twice the usual, and what is above it ends at its top.
    assert found.columns[0].p50 is not None and found.columns[0].p50 < HEIGHT * 0.6
    assert found.columns[50].p50 == 0


def test_without_a_wait_there_is_no_chart() -> None:
    assert chart(fold([point(0, None, "failed")], SINCE, UNTIL), 1000) is None
    assert "No run in this time" in period_page.fragment([], SINCE, UNTIL)


def test_figures_in_words() -> None:
    assert [milliseconds(each) for each in (None, 0, 0.42, 358.4, 9999, 12_300)] == [
        "\N{EN DASH}", "0 ms", "0.4 ms", "358 ms", "9999 ms", "12.3 s",
    ]  # fmt: skip
    assert [percent(each) for each in (None, 0, 0.00001, 0.5, 0.99999, 1)] == [
        "\N{EN DASH}", "0 %", "0.1 %", "50 %", "99.9 %", "100 %",
    ]  # fmt: skip
    times = (0, 59, 60, 7200, 86_400, -5)
    assert [ago(0, seconds * 10**9) for seconds in times] == [
        "just now", "59 seconds ago", "1 minute ago", "2 hours ago", "1 day ago",
        "in the future, by this machine's clock",
    ]  # fmt: skip
