"""The chart of `probe drift`: one scale for all stages, flat where nothing but scatter is."""

import math
from dataclasses import replace

import pytest
from series import PARTS_MS, noisy, step

from probe.measures import STAGES
from probe.report.drift_chart import bars, chart

BASELINE = dict(zip(STAGES, (sum(PARTS_MS), *PARTS_MS), strict=True))


def rows(lines: list[str]) -> dict[str, str]:
    return {line[2:17].strip(): line[17:] for line in lines[:4]}


def test_noise_is_flat_and_every_stage_is_on_the_same_scale() -> None:
    lines = list(chart(list(noisy(600, scatter=0.02, factors=step(400, 1.5))), [], BASELINE, 77))
    drawn = rows(lines)
    assert drawn["LLM TTFT"] == drawn["LLM decoding"] == 60 * "▃"
    assert set(drawn["TTS TTFB"][40:]) <= set("▇█")
    # A third of it is the TTS server's: the whole is slower by 16 %.
    assert set(drawn["combined TTFB"][:40]) == {"▃"}
    assert set(drawn["combined TTFB"][40:]) <= set("▄▅")
    assert "▁ 0.91, ▃ 1, █ 1.5" in " ".join(lines)


@pytest.mark.parametrize(("ratio", "bar"), [(0.5, "▁"), (0.9, "▂"), (0.99, "▃"), (1.02, "▃"), (1.1, "▄"), (2.0, "█")])
def test_a_bar_says_how_many_times_the_baseline(ratio: float, bar: str) -> None:
    row = [0.0, 0.0, math.log(ratio), *[0.0] * 9]
    assert bars(row, math.log(0.5), math.log(2.0))[2] == bar


def test_a_slot_without_runs_and_a_stage_without_figures_are_blank() -> None:
    runs = [replace(each, stages_ms=(*each.stages_ms[:3], None)) for each in noisy(40)]
    lines = list(chart([*runs[:10], *runs[30:]], [], {}, 77))
    drawn = rows(lines)
    assert drawn["TTS TTFB"] == ""
    assert " " in drawn["combined TTFB"].strip()
    assert list(chart([], [], {}, 77)) == []
