"""How things stand now, as the lines of a terminal: as many as it has, none of them wider than it is."""

import unicodedata
from collections.abc import Iterator, Sequence

import click

from probe.report.alerts import SOME
from probe.report.day import Slot
from probe.report.format import counted, lasting, ms
from probe.report.now import Card, Now, Tone, remarks
from probe.text import one_line
from probe.timestamps import NS_PER_S, local

_MARKS: dict[Tone, str] = {"bad": "✗", "warn": "▲", "good": "●", "gone": "○"}
_COLOURS: dict[Tone, str] = {"bad": "red", "warn": "yellow", "good": "green", "gone": "bright_black"}
_BARS = "▁▂▃▄▅▆▇█"
_FAILED, _NO_RUN, _NO_WAIT = "✗", " ", "·"
# Of the lines, what alerts take at most, and columns of a name.
_MOST_ALERTS = 0.4
_LONGEST_NAME = 34
# A chart of a day wider than this has no more to show.
_WIDEST_CHART = 48
_ELLIPSIS = "…"


def screen(found: Now, width: int, height: int | None = None) -> list[str]:
    """At most `height` lines (None: as many as it takes) of at most `width` columns, with click's colours."""
    head = [_fitted(_summary(found), width, bold=True), *_alerts(found, width, height)]
    if not found.cards:
        return [*head, _fitted("no run yet", width)][:height]
    left = None if height is None else max(1, height - len(head) - 1)
    body = _body(found, width, left)
    return [*head, "", *body][:height]


def _summary(found: Now) -> str:
    states: dict[str, int] = {}
    for card in found.cards:
        states[card.state] = states.get(card.state, 0) + 1
    counts = ", ".join(f"{n} {state.lower()}" for state, n in states.items())
    return f"{local(found.at):%H:%M:%S}  {counted(len(found.cards), 'target')}{f': {counts}' if counts else ''}"


def _alerts(found: Now, width: int, height: int | None) -> list[str]:
    """What an alert would say, a line each."""
    room = len(found.alerts) if height is None else max(1, int(height * _MOST_ALERTS))
    shown = found.alerts if len(found.alerts) <= room else found.alerts[: room - 1]
    lines = []
    for each in shown:
        name = f"{_name(each.target, each.scenario)} " if each.target else ""
        colour = "red" if each.severity == "critical" else "yellow"
        lines.append(_fitted(f"! {name}{each.text}", width, fg=colour))
    if len(shown) < len(found.alerts):
        lines.append(_fitted(f"! {_ELLIPSIS} {len(found.alerts) - len(shown)} more", width, fg="red"))
    return lines


def _body(found: Now, width: int, height: int | None) -> list[str]:
    """Each card in full where there is room; those that are well in one line; each in one line; the worst ones."""
    blocks = [_block(card, found.at, width) for card in found.cards]
    well = [card.tone in ("good", "gone") for card in found.cards]
    lines: list[str] = []
    for is_brief in ([False] * len(blocks), well, [True] * len(blocks)):
        lines = [line for block, brief in zip(blocks, is_brief, strict=True) for line in block[: 1 if brief else None]]
        if height is None or len(lines) <= height:
            return lines
    more = len(lines) - (height or 0) + 1
    return [*lines[:-more], _fitted(f"{_ELLIPSIS} {more} more", width)]


def _block(card: Card, now: int, width: int) -> list[str]:
    name = _name(card.target, card.scenario)
    first = f"{_MARKS[card.tone]} {_padded(name, min(_LONGEST_NAME, width // 3))}  {card.state}: {card.headline}"
    lines = [_fitted(first, width, fg=_COLOURS[card.tone])]
    figures = ", ".join(_figures(card, now))
    chart_width = max(8, min(_WIDEST_CHART, width - len(figures) - 6))
    lines.append(_fitted(f"  {chart(card.day.slots, chart_width, card.waits_objective_ms)}  {figures}", width))
    return lines + [_fitted(f"  {each}", width) for each in remarks(card)]


def _figures(card: Card, now: int) -> Iterator[str]:
    """The shortest and most wanted first: what does not fit is cut off."""
    day = card.day
    # What the history has of each run; the headline is of what the objective judges.
    of = "first byte, " if card.is_judged_elsewhere else ""
    yield f"24 h: {of}median {ms(day.median_ms)}, p95 {ms(day.p95_ms)}"
    if day.within is not None:
        yield f"{day.within:.1%} ok"
    if card.last is not None:
        yield f"last {lasting(max(0.0, (now - card.last.ended) / NS_PER_S))} ago"
    if card.due.at is not None and card.due.late_s is None:
        yield card.due.text(now)


def chart(slots: Sequence[Slot], width: int, objective_ms: float | None) -> str:
    """A day in at most `width` characters: the median wait as a bar whose full height is the objective, or the longest.

    ✗ is a time in which more than some runs failed, · one whose wait is not known, a blank one without a run.
    """
    size = -(-len(slots) // width)
    groups = [slots[at : at + size] for at in range(0, len(slots), size)]
    highest = max((each.wait_ms for each in slots if each.wait_ms is not None), default=0.0)
    return "".join(_bar(group, max(highest, objective_ms or 0.0)) for group in groups)


def _bar(group: Sequence[Slot], top: float) -> str:
    failed, runs = sum(each.failed for each in group), sum(each.runs for each in group)
    if failed > SOME * runs:
        return _FAILED
    waits = [each.wait_ms for each in group if each.wait_ms is not None]
    if not waits:
        return _NO_WAIT if runs else _NO_RUN
    return _BARS[min(len(_BARS) - 1, int(max(waits) / top * len(_BARS))) if top else 0]


def _name(target: str, scenario: str) -> str:
    return one_line(f"{target}, {scenario}")


def _fitted(text: str, width: int, *, fg: str | None = None, bold: bool | None = None) -> str:
    """Cut to so many columns of the terminal, then coloured."""
    cut = _cut(text, width)
    return click.style(cut, fg=fg, bold=bold) if fg or bold else cut


def _padded(text: str, columns: int) -> str:
    cut = _cut(text, columns)
    return cut + " " * (columns - _columns(cut))


def _cut(text: str, columns: int) -> str:
    if _columns(text) <= columns:
        return text
    taken = ""
    for char in text:
        if _columns(taken) + _columns(char) >= columns:
            break
        taken += char
    return f"{taken}{_ELLIPSIS}" if columns > 0 else ""


def _columns(text: str) -> int:
    """How wide a terminal shows it: characters of East Asia take two columns, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
