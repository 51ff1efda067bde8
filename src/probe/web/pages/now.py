"""The page Now: a card for each target, worst first, and what an alert would say."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from probe.report.format import lasting
from probe.report.now import Card, remarks
from probe.timestamps import NS_PER_S
from probe.web.kept import KEPT
from probe.web.page import Asked, Page
from probe.web.sparkline import Sparkline, sparkline

# More of them are a list without pictures: the page stays below 200 KB.
MOST_CARDS = 24


@dataclass(frozen=True, slots=True)
class CardView:
    """A card, and what the template shows beside its own values. The addresses lead to the runs."""

    card: Card
    # Of the element: the same for a target as long as it exists.
    id: str
    chart: Sparkline
    remarks: Sequence[str]
    last_ago: str | None
    next_run: str
    all_runs: str
    slowest: str
    failed: str
    drift: str
    silent: str | None
    last_run: str | None


def _context(asked: Asked) -> Mapping[str, Any]:
    found = KEPT.now(asked)
    views = [_view(card, found.at) for card in found.cards]
    ids = {(each.card.target, each.card.scenario): each.id for each in views}
    measured = [each for each in views if each.card.tone != "gone"]
    return {
        "alerts": [(each, ids.get((each.target, each.scenario))) for each in found.alerts],
        "cards": measured[:MOST_CARDS],
        "more": measured[MOST_CARDS:],
        "gone": [each for each in views if each.card.tone == "gone"],
        "live": "page",
    }


def _view(card: Card, now: int) -> CardView:
    series = {"target": card.target, "scenario": card.scenario}
    day = series | {"since": "24h"}
    last = card.last
    return CardView(
        card,
        f"card-{hashlib.sha256(repr(series).encode('utf-8', 'surrogatepass')).hexdigest()[:10]}",
        sparkline(card.day.slots, card.waits_objective_ms),
        [*remarks(card)],
        None if last is None else lasting(max(0.0, (now - last.ended) / NS_PER_S)),
        card.due.text(now),
        _runs(series),
        _runs(day | {"sort": "slowest"}),
        _runs(day | {"outcome": "failed"}),
        f"/drift?{urlencode(series, errors='replace')}",
        None if card.silence is None else _run(card.silence.run_id),
        None if last is None else _run(last.run_id),
    )


def _run(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


def _runs(parameters: Mapping[str, str]) -> str:
    return f"/runs?{urlencode(parameters, errors='replace')}"


NOW = Page("/", "Now", "now.html", _context)
