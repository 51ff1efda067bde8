"""Colours that mean different things look different, also to the colour-blind, on a dark page and on a light one."""

import math
import re
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pytest

from boards import palette

# Of linear RGB, for whoever has no red, green or blue cones: Machado, Oliveira and Fernandes 2009, severity 1.
EYES = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.01182, 0.04294, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.3039)),
}
GROUPS: dict[str, Iterable[str]] = {
    "states": [color for _, color in palette.STATES.values()],
    "drift": [color for _, color in palette.DRIFT.values()],
    "probe": [color for _, color in palette.PROBE.values()],
    "stages": [color for _, color in palette.STAGES.values()],
    "failures": palette.FAILURES.values(),
    "lost runs": palette.LOST.values(),
    "figures": (palette.GOOD, palette.WARN, palette.BAD),
    "moments": (palette.SERVING_CHANGED, palette.CHANGE_FOUND, palette.OTHER_CHANGE),
    "clock caps": palette.CAPS.values(),
    "pressures": palette.PRESSURES.values(),
}
# In CIELAB, where 2 is just seen side by side; a tile is looked at alone.
APART = 20
PANELS = {"dark": "#181b1f", "light": "#ffffff"}
DRAWN_AS_LINES = ("stages", "failures", "moments")
BOARDS = Path(palette.__file__).parent


@pytest.mark.parametrize("eyes", EYES)
@pytest.mark.parametrize("group", GROUPS)
def test_colors_of_one_group_are_told_apart(group: str, eyes: str) -> None:
    known = [color for color in GROUPS[group] if color != palette.QUIET]
    assert len(set(known)) == len(known) > 1
    distances = {(one, other): distance(one, other, eyes) for one, other in combinations(known, 2)}
    assert {pair: far for pair, far in distances.items() if far < APART} == {}


@pytest.mark.parametrize("page", PANELS)
def test_lines_are_seen_on_a_dark_and_on_a_light_page(page: str) -> None:
    lines = {color for group in DRAWN_AS_LINES for color in GROUPS[group]} - {palette.QUIET} | {palette.BAD}
    assert {color for color in lines if contrast(color, PANELS[page]) < 1.9} == set()


def test_two_shades_of_a_color_are_found_alike() -> None:
    assert distance("#c4162a", "#ad0317", "usual") < APART
    green_and_orange = ("#73bf69", "#ff780a")
    assert distance(*green_and_orange, "usual") > 1.5 * distance(*green_and_orange, "protanopia")


def test_colors_are_named_in_the_palette_alone() -> None:
    named = re.compile(
        r"\"#[0-9a-f]{6}\"|\"(?:(?:semi-|super-)?(?:dark|light)-)?(?:red|green|blue|orange|yellow|purple)\""
    )
    elsewhere = [path for path in BOARDS.glob("*.py") if path.name != "palette.py"]
    assert [(path.name, named.findall(path.read_text("utf-8"))) for path in elsewhere] == [
        (path.name, []) for path in elsewhere
    ]


def distance(one: str, other: str, eyes: str) -> float:
    """How far apart two colours are in CIELAB, as such eyes see them."""
    return math.dist(lab(seen(one, eyes)), lab(seen(other, eyes)))


def seen(color: str, eyes: str) -> list[float]:
    light = linear(color)
    return [min(1.0, max(0.0, sum(part * each for part, each in zip(row, light, strict=True)))) for row in EYES[eyes]]


def linear(color: str) -> list[float]:
    """The light of each primary, from sRGB."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def lab(light: list[float]) -> tuple[float, float, float]:
    red, green, blue = light
    x, y, z = (
        cube(part / white)
        for part, white in (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue, 0.95047),
            (luminance(light), 1.0),
            (0.0193 * red + 0.1192 * green + 0.9505 * blue, 1.08883),
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def cube(part: float) -> float:
    return part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116


def luminance(light: list[float]) -> float:
    red, green, blue = light
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio, from 1 to 21."""
    darker, lighter = sorted(luminance(linear(color)) for color in (one, other))
    return (lighter + 0.05) / (darker + 0.05)
