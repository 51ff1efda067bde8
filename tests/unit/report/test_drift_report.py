"""What `probe drift` says of a change agrees with what it says of how things stand."""

from dataclasses import replace

import click

from probe.drift import Moved, Shift, Verdict
from probe.drift.change import Drift
from probe.report.drift_report import SeriesReport, document, report

HOUR = 3_600_000_000_000
BEGAN = 1_700_000_000_000_000_000


def moved(tts_ms: float) -> tuple[Moved, ...]:
    """Of 600 ms, 240 were the TTS server's."""
    return (Moved("combined_ttfb", 600.0, 360.0 + tts_ms, certain=True), Moved("tts_ttfb", 240.0, tts_ms, certain=True))


FOUND = Shift(BEGAN, BEGAN + HOUR, "slower", "tts_ttfb", moved(270.0), 0.999, ("before",), ("after",))
DRIFT = Drift(BEGAN, BEGAN + HOUR, "slower", "tts_ttfb", 0.999)
VERDICT = Verdict("slower", 100, DRIFT, moved(288.0), 0, None, (FOUND,))


def lines(verdict: Verdict) -> list[str]:
    series = SeriesReport("spark", "joke", verdict, (), verdict.changes)
    return [click.unstyle(line).strip() for line in report(series, 120)]


def test_the_change_that_goes_on_has_the_figures_of_the_headline() -> None:
    said = lines(VERDICT)
    assert said[0] == "spark, joke: combined TTFB +8 % since 14 Nov 22:13 UTC, all of it TTS TTFB (+20 %)"
    assert said[-1].endswith("after      combined TTFB +8 %, all of it TTS TTFB (+20 %)")
    (change,) = document([SeriesReport("spark", "joke", VERDICT, (), VERDICT.changes)])["series"][0]["changes"]
    assert change["what"] == "combined TTFB +8 %, all of it TTS TTFB (+20 %)"


def test_one_that_is_over_and_each_of_several_have_their_own() -> None:
    over = replace(FOUND, until=BEGAN + 2 * HOUR)
    assert "combined TTFB +5 %" in lines(replace(VERDICT, changes=(over,)))[-1]
    later = replace(FOUND, since=BEGAN + HOUR, moved=moved(258.0))
    said = lines(replace(VERDICT, changes=(FOUND, later)))
    assert ["+5 %" in said[-2], "+3 %" in said[-1]] == [True, True]
