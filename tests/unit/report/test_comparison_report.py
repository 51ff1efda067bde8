"""The verdict of a comparison names the stage that moved, whatever the first byte did."""

import pytest
from series import noisy, point, spoken

from probe.drift.series import Point
from probe.report.comparison_report import Side, comparison_of, document, remarks, sentence, state

# What each stage takes in turn, around its middle: LLM TTFT, LLM decoding, TTS TTFB.
STEADY, WILD = (0, 2, -2, 1, -1), (0, 180, -150, 210, -190, 90, -80)
LEAST = 0.03


def runs(llm: float, decode: float, tts: float, scatter: tuple[int, ...] = STEADY) -> list[Point]:
    return [point(n, (llm + scatter[n % len(scatter)], decode + n % 3, tts + n % 2)) for n in range(40)]


A = runs(100, 100, 200)


@pytest.mark.parametrize(
    ("a", "b", "judged", "said", "moved"),
    [
        (A, runs(100, 100, 240), "slower", ", most of it TTS TTFB (+40 ms)", ["tts_ttfb"]),
        (A, runs(140, 100, 160), "same",
         "; LLM TTFT is slower by 40 ms (+39 to +41 ms) and TTS TTFB is faster by 40 ms",
         ["llm_ttft", "tts_ttfb"]),
        (A, runs(85, 100, 260), "slower", ", most of it TTS TTFB (+60 ms); LLM TTFT is faster by 15 ms",
         ["tts_ttfb", "llm_ttft"]),
        (runs(400, 100, 200, WILD), runs(400, 100, 240, WILD), "unknown", "; TTS TTFB is slower by 40 ms (+",
         ["tts_ttfb"]),
        (A, A, "same", "B's first byte comes within 3 % of A's (95 % interval ", []),
        # Certain, and too little to matter to a person.
        (A, runs(105, 100, 200), "same", "", []),
    ],
)  # fmt: skip
def test_the_stage_that_moved_is_named(
    a: list[Point], b: list[Point], judged: str, said: str, moved: list[str]
) -> None:
    comparison = comparison_of(Side("a", a), Side("b", b), LEAST)
    assert state(comparison) == judged, sentence(comparison)
    assert said in sentence(comparison)
    assert ("; " in sentence(comparison)) == (len(moved) > (judged == "slower"))
    assert document(comparison)["moved"] == moved


def test_the_verdict_on_targets_that_hear_is_about_the_first_sound() -> None:
    before, after = list(spoken(40)), list(spoken(40, 2, factors=lambda _number: (1.5, 1.0)))
    comparison = comparison_of(Side("a", before), Side("b", after), LEAST)
    assert sentence(comparison).startswith("B's first sound comes ")
    assert ", most of it endpointing (+" in sentence(comparison)
    found = document(comparison)
    assert (found["state"], found["whole"], found["remarks"]) == ("slower", "voice_to_voice", [])
    assert next(iter(found["stages"])) == "voice_to_voice"


def test_a_target_that_is_asked_in_text_is_compared_from_the_question_on_which_is_said() -> None:
    mixed = comparison_of(Side("a", list(spoken(40))), Side("b", list(noisy(40))), LEAST)
    assert document(mixed)["whole"] == "combined_ttfb"
    assert [*remarks(mixed)] == [
        "Not all runs were asked by voice: what is compared begins with the question, after its transcript."
    ]
    assert [*remarks(comparison_of(Side("a", A), Side("b", A), LEAST))] == []
