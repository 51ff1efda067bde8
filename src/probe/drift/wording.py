"""Drift in words, and as plain values for logs and spans. Times are UTC."""

from collections.abc import Mapping, Sequence

from probe.drift.change import Change, Direction, Grows, Moved, ServingChange, Shift, Verdict, whole_of
from probe.drift.figures import ENOUGH
from probe.drift.fingerprint import Fingerprint
from probe.timestamps import utc
from probe.waits import WHOLES

NAMES = {
    "combined_ttfb": "combined TTFB",
    "voice_to_voice": "voice to voice",
    "endpointing": "endpointing",
    "transcription": "transcription",
    "llm_ttft": "LLM TTFT",
    "llm_decode": "LLM decoding",
    "tts_ttfb": "TTS TTFB",
}
# A stage that makes up so much of a change makes up all of it.
_ALL = 0.9
# Less of a change is not worth a word.
_WORTH_PER_WORD = 0.1

Value = str | float | tuple[str, ...]


def moment(at: int) -> str:
    """Nanoseconds since the epoch, for a person."""
    return f"{utc(at):%-d %b %H:%M} UTC"


def iso(at: int) -> str:
    return utc(at).isoformat(timespec="seconds")


def percent(ratio: float) -> str:
    return f"{(ratio - 1) * 100:+.0f} %"


def moved_by(moved: Moved) -> str:
    """By how much a stage has moved, where that is more than its scatter explains."""
    return percent(moved.ratio) if moved.certain else "as ever"


def grows(found: Grows) -> str:
    """What a stage takes by the text."""
    return f"{found.base_ms:.0f} ms + {found.slope_ms:.2g} ms per {found.per.removesuffix('s')}"


def sentence(verdict: Verdict) -> str:
    """How things stand, in one sentence."""
    whole = whole_of(verdict.now)
    if whole is None:
        return f"not enough yet: {verdict.runs} of {ENOUGH} runs"
    if verdict.drift is None:
        return f"no drift: {NAMES[whole.stage]} {whole.after_ms:.0f} ms, baseline {whole.before_ms:.0f} ms"
    since = f" since {moment(verdict.drift.since)}"
    return _what(verdict.now, verdict.drift.direction, verdict.drift.stage, since)


def _what(moved: Sequence[Moved], direction: Direction, stage: str, since: str = "") -> str:
    """What moved, and which stages made it."""
    by_stage = {each.stage: each for each in moved}
    whole = whole_of(moved)
    if whole is None:
        return f"{NAMES[stage]} {percent(by_stage[stage].ratio)}{since}"
    whole_moved = f"{NAMES[whole.stage]} {percent(whole.ratio)}{since}"
    same_way = (whole.added_ms > 0) == (direction == "slower")
    if not whole.certain or not same_way:
        named = by_stage.get(stage, whole)
        return f"{NAMES[stage]} {percent(named.ratio)}{since}; {NAMES[whole.stage]} {moved_by(whole)}"
    parts = _parts(moved, whole)
    if not parts:
        return whole_moved
    if parts[0].added_ms / whole.added_ms >= _ALL:
        return f"{whole_moved}, all of it {_named(parts[0])}"
    shares = [f"{min(1.0, each.added_ms / whole.added_ms):.0%} of it {_named(each)}" for each in parts]
    return f"{whole_moved}, {', '.join(shares)}"


def _parts(moved: Sequence[Moved], whole: Moved) -> list[Moved]:
    """The stages that make up a change, the largest first."""
    parts = [
        each
        for each in moved
        if each.stage not in WHOLES and each.certain and each.added_ms / whole.added_ms >= _WORTH_PER_WORD
    ]
    return sorted(parts, key=lambda each: -abs(each.added_ms))


def _named(moved: Moved) -> str:
    return f"{NAMES[moved.stage]} ({percent(moved.ratio)})"


def text(found: Change) -> str:
    """A change in words, except for its time."""
    if isinstance(found, ServingChange):
        return f"model, voice or settings changed: {_difference(found.old, found.new)}"
    what = _what(found.moved, found.direction, found.stage)
    return what if found.until is None else f"{what}, until {moment(found.until)}"


def _difference(old: Fingerprint, new: Fingerprint) -> str:
    changed = [
        f"{name} {before or 'unknown'} → {after or 'unknown'}"
        for name, before, after in (("LLM", old.llm, new.llm), ("TTS", old.tts, new.tts))
        if before != after
    ]
    return ", ".join(changed) or f"configuration {old.config} → {new.config}"


def plain(found: Change, beside: Sequence[str] = ()) -> Mapping[str, Value]:
    """A change as values for a log line, or attributes of a span's event, with the names of what else changed."""
    values: dict[str, Value] = {"what": text(found), "since": iso(found.since)}
    if isinstance(found, Shift):
        values |= {"direction": found.direction, "stage": found.stage, "confidence": round(found.confidence, 4)}
        if found.until is not None:
            values["until"] = iso(found.until)
        values |= {f"{each.stage}_ratio": round(each.ratio, 4) for each in found.moved}
    if beside:
        values["beside"] = tuple(beside)
    return values | {"runs_before": found.before, "runs_after": found.after}
