"""A page in Prometheus' text format: the samples of some metrics. Linear in the page's length, and bounded."""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import islice
from typing import NamedTuple

# Of one metric: a machine has hundreds of cores, and eight samples of each.
_MOST_SAMPLES = 16_384
# What is longer is no sample of anything that is wanted here.
_LONGEST_LINE = 4096
_LONGEST_NAME = 256
# Larger whole numbers are not exact, and few things that are counted come to so many.
_LARGEST = 2.0**53
_LABEL = re.compile(r'(\w++)="([^"]*+)"')

# Those of a line; where nothing is escaped, they are its bytes until somebody needs them.
Labels = bytes | Mapping[str, str]


class Sample(NamedTuple):
    """One line. A tuple: a page has hundreds of them."""

    labels: Mapping[str, str]
    value: float

    def name(self, label: str) -> str | None:
        """The value of a label as a name; None where there is none."""
        return as_name(self.labels.get(label, ""))


class Page:
    """The samples of these metrics, all read at once: as cheap as one of them alone, for a page that is read often."""

    def __init__(self, page: bytes, names: tuple[str, ...]) -> None:
        self._found: dict[str, list[tuple[Labels, float]]] = {}
        for name, labels, value in _found(page, names, _MOST_SAMPLES):
            self._found.setdefault(name, []).append((labels, value))

    def samples(self, name: str) -> list[Sample]:
        return [Sample(_read(labels), value) for labels, value in self._found.get(name, ())]

    def values(self, name: str) -> list[float]:
        return [value for _, value in self._found.get(name, ())]

    def amount(self, name: str) -> float | None:
        """The sum of all samples, as in `amount` below."""
        values = self.values(name)
        return _credible(sum(values)) if values else None

    def sums(self, name: str, label: str) -> dict[str, float]:
        """The samples added up by the values of one of their labels."""
        mark = f',{label}="'.encode()
        found: dict[str, float] = {}
        for labels, value in self._found.get(name, ()):
            key = _one(labels, label, mark)
            found[key] = found.get(key, 0.0) + value
        return found


def as_name(value: str) -> str | None:
    """A label's value as a name that may be shown: in one line, and cut; None where nothing is left of it."""
    return "".join(filter(str.isprintable, value[:_LONGEST_NAME])).strip() or None


def samples(page: bytes, name: str, most: int = _MOST_SAMPLES) -> list[Sample]:
    """Those of the metric with exactly this name, in their order. Lines that are none, and no numbers, are left out."""
    return [Sample(_read(labels), value) for _, labels, value in _found(page, (name,), most)]


def total(page: bytes, *names: str, most: int = _MOST_SAMPLES) -> float | None:
    """The sum of all samples of the first of these metrics that has any.

    None where none has, and where there are more than `most` samples.
    """
    values = next((found for name in names if (found := [each[2] for each in _found(page, (name,), most + 1)])), [])
    return sum(values) if 0 < len(values) <= most else None


def amount(page: bytes, *names: str, most: int = _MOST_SAMPLES) -> float | None:
    """The same; None where it is absurd, too: more than anything that a machine has or counts."""
    value = total(page, *names, most=most)
    return None if value is None else _credible(value)


def _credible(value: float) -> float | None:
    return value if abs(value) <= _LARGEST else None


def _found(page: bytes, names: tuple[str, ...], most: int) -> Iterator[tuple[str, Labels, float]]:
    """The name, the labels and the number of each sample of these metrics."""
    # A page has the metrics of one kind of server: what is not in it at all takes a tenth of the time to find out so.
    if not any(each.encode() in page for each in names):
        return
    lines = _lines(names).finditer(page if page.startswith(b"\n") else b"\n" + page)
    for line in islice(lines, most):
        name, plain, number, escaped = line.groups()
        labels, rest = (plain or b"", number) if escaped is None else _labels(escaped.decode("utf-8", "replace"))
        value = _number(rest)
        if value is not None and line.end() - line.start() <= _LONGEST_LINE:
            yield name.decode(), labels, value


@cache
def _lines(names: tuple[str, ...]) -> re.Pattern[bytes]:
    """The name, the labels and the number of a line; all that follows the name where the labels have escapes.

    Nothing in it can backtrack.
    """
    name = b"|".join(re.escape(each.encode()) for each in names)
    label = rb'\w++="[^"\\\n]*+"(?:, ?+)?+'
    plain = rb"(?:\{((?:" + label + rb")*+)\})?+[ \t]++([^ \t\n]++)[^\n]*+"
    return re.compile(rb"\n(" + name + rb")(?:" + plain + rb"|(\{[^\n]*+))")


def _number(text: bytes | str) -> float | None:
    """The first word as a finite number."""
    try:
        value = float(text.split(maxsplit=1)[0])
    except (ValueError, IndexError):
        return None
    return value if math.isfinite(value) else None


def _read(labels: Labels) -> Mapping[str, str]:
    return dict(_LABEL.findall(labels.decode("utf-8", "replace"))) if isinstance(labels, bytes) else labels


def _one(labels: Labels, label: str, mark: bytes) -> str:
    """One of them, found by its mark where they are written as most servers do; empty where there is none."""
    if isinstance(labels, bytes) and b", " not in labels:
        return (b"," + labels).partition(mark)[2].partition(b'"')[0].decode("utf-8", "replace")
    return _read(labels).get(label, "")


def _labels(line: str) -> tuple[dict[str, str], str]:
    """Those at the start of a line, and what is behind them; nothing where they are broken."""
    found: dict[str, str] = {}
    at = 1
    while True:
        while line[at : at + 1] in (" ", ","):
            at += 1
        if line[at : at + 1] == "}":
            return found, line[at + 1 :]
        equals = line.find('="', at)
        value, end = ("", -1) if equals < 0 else _quoted(line, equals + 2)
        if end < 0:
            return {}, ""
        found[line[at:equals].strip()] = value
        at = end


def _quoted(line: str, start: int) -> tuple[str, int]:
    """The text that begins here and ends with a quotation mark, and the place behind that; -1 where there is none."""
    parts: list[str] = []
    while (end := line.find('"', start)) >= 0:
        escape = line.find("\\", start, end)
        if escape < 0:
            return "".join((*parts, line[start:end])), end + 1
        escaped = line[escape + 1 : escape + 2]
        parts += (line[start:escape], "\n" if escaped == "n" else escaped)
        start = escape + 2
    return "", -1
