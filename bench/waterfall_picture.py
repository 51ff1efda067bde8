"""Draw the waterfall of a recorded run as SVG: docs/images/run-waterfall.svg, which the README shows.

make bench-waterfall_picture ARGS='--state-dir demo-output/state last' > docs/images/run-waterfall.svg
"""

import argparse
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

import click

from probe.history.reader import reading
from probe.report.waterfall import waterfall

COLUMNS = 110
# Of one character, in pixels.
WIDTH, HEIGHT = 8, 20
MARGIN = 14
# The bars of the terminal, each with its colour in the LLM's and the TTS server's lines.
BARS = {
    "░": ("#9ecae1", "#d4b9da"),
    "█": ("#2171b5", "#980043"),
    "·": ("#dddddd", "#dddddd"),
    "━": ("#238b45", "#238b45"),
}
BAR = re.compile("|".join(f"{bar}+" for bar in BARS))


def drawn(lines: list[str]) -> Iterator[str]:
    """Each line of text at its place, and each bar as a rectangle."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(lines) * HEIGHT + 2 * MARGIN
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    yield f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff" stroke="#cccccc"/>'
    yield '<g font-family="monospace" font-size="13" fill="#222222" xml:space="preserve">'
    for number, line in enumerate(lines):
        top = MARGIN + number * HEIGHT
        for match in re.finditer(r"\S+(?: \S+)*", BAR.sub(lambda bar: " " * len(bar[0]), line)):
            x = MARGIN + match.start() * WIDTH
            length = len(match[0]) * WIDTH
            yield f'<text x="{x}" y="{top + 14}" textLength="{length}">{escape(match[0])}</text>'
        for match in BAR.finditer(line):
            colour = BARS[match[0][0]]["TTS" in line[: match.start()]]
            place = f'x="{MARGIN + match.start() * WIDTH}" y="{top + 4}"'
            yield f'<rect {place} width="{len(match[0]) * WIDTH}" height="{HEIGHT - 8}" fill="{colour}"/>'
    yield "</g>"
    yield "</svg>"


def main() -> None:
    """Print the picture on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("run_id", help="the beginning or end of an id, or `last`")
    args = parser.parse_args()
    with reading(args.state_dir) as reader:
        record = reader.last() if args.run_id == "last" else reader.get(args.run_id)
    lines = [click.unstyle(line) for line in waterfall(record, COLUMNS)]
    click.echo("\n".join(drawn([line for line in lines if line and not line.startswith("WATERFALL")])))


if __name__ == "__main__":
    main()
