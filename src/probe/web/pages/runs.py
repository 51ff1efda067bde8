"""The page Runs: a table that is searched, sorted and turned by its address alone."""

import json
import math
from collections.abc import Mapping
from typing import Any, get_args
from urllib.parse import urlencode

from probe.history import listing
from probe.history.listing import Listing, Order, Place, Wanted
from probe.record import Outcome
from probe.timestamps import NEVER
from probe.web import fields
from probe.web.page import Asked, BadQueryError, Content, File, Page

OUTCOMES: tuple[str, ...] = get_args(Outcome)
ORDERS: tuple[Order, ...] = get_args(Order)
_AGO = (("last hour", "1h"), ("last day", "24h"), ("last week", "7d"))
# More than a person counts.
MOST_NEW = 1000
_FILTERS = ("target", "scenario", "outcome", "since", "until", "slower")


def wanted_of(asked: Asked) -> Wanted:
    """The filters of the address. Raises BadQueryError."""
    query = asked.query
    return Wanted(
        fields.text(query, "target"),
        fields.text(query, "scenario"),
        fields.chosen(query, "outcome", OUTCOMES),
        fields.moment(query, "since", asked.now),
        fields.moment(query, "until", asked.now),
        fields.number(query, "slower"),
    )


def _context(asked: Asked) -> Mapping[str, Any]:
    wanted = wanted_of(asked)
    order = _order(asked.query)
    found = listing.listing(asked.reader, wanted, order, _place(asked.query))
    series = asked.reader.series()
    filters = {name: value for name in _FILTERS if (value := fields.text(asked.query, name)) is not None}
    return {
        "found": found,
        "wanted": wanted,
        "order": order,
        "since": fields.for_input(wanted.since),
        "until": fields.for_input(wanted.until),
        "slower": "" if wanted.slower_than_ms is None else f"{wanted.slower_than_ms:g}",
        "outcomes": OUTCOMES,
        "targets": sorted({target for target, _ in series}),
        "scenarios": sorted({scenario for _, scenario in series}),
        "total": listing.count(asked.reader),
        "filtered": bool(filters),
        "page_size": listing.PAGE,
        "ago": [(name, _address(filters | {"since": ago, "until": ""}, order)) for name, ago in _AGO],
        "by_time": _address(filters, "oldest" if order == "newest" else "newest"),
        "by_wait": _address(filters, "fastest" if order == "slowest" else "slowest"),
        "first": _address(filters, order),
        "before": _turned(found, filters, order, before=True),
        "after": _turned(found, filters, order, before=False),
        "live": "runs" if order == "newest" and "at" not in asked.query else "",
    }


def _order(query: Mapping[str, str]) -> Order:
    value = fields.chosen(query, "sort", ORDERS)
    return next((each for each in ORDERS if each == value), "newest")


def _place(query: Mapping[str, str]) -> Place | None:
    """As `_turned` writes it. Raises BadQueryError."""
    text = fields.text(query, "at")
    if text is None:
        return None
    side, _, rest = text.partition(":")
    value, _, seq = rest.partition(":")
    try:
        at: float = int(value) if value.isdecimal() else float(value)
        number = int(seq)
    except ValueError:
        at, number = math.nan, 0
    # Compared with a column of 64 bits.
    if side not in ("before", "after") or not 0 <= at < NEVER or not 0 < number < NEVER:
        raise BadQueryError("at: this is no place in the list; start at its beginning")
    return Place(side == "before", at, number)


def _turned(found: Listing, filters: Mapping[str, str], order: Order, *, before: bool) -> str | None:
    """The address of the page before this one, or behind it; None where there is none."""
    if not found.runs or not (found.has_before if before else found.has_after):
        return None
    edge = found.runs[0 if before else -1]
    value = edge.started if order in ("newest", "oldest") else edge.response_ttfb_ms
    side = "before" if before else "after"
    return _address({**filters, "at": f"{side}:{value!r}:{edge.seq}"}, order)


def _address(parameters: Mapping[str, str], order: Order) -> str:
    given = {name: value for name, value in parameters.items() if value}
    text = urlencode(given if order == "newest" else {**given, "sort": order})
    return f"/runs?{text}" if text else "/runs"


def _new(asked: Asked) -> Content:
    """How many runs an open page of the list lacks, among the newest `MOST_NEW` of all."""
    shown = int(fields.number(asked.query, "after") or 0)
    # What a page that was open for a week lacks is not looked for in all that came since.
    after = max(shown, asked.reader.newest() - MOST_NEW)
    count = listing.count_newer(asked.reader, wanted_of(asked), after)
    return Content(json.dumps({"count": count, "more": after > shown}).encode(), "application/json")


RUNS_FILES = (File("/runs/new.json", _new),)
RUNS = Page("/runs", "Runs", "runs.html", _context)
