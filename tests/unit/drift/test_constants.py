"""The detector is fitted to nothing: what it holds of figures that somebody chose only becomes fewer."""

import ast
from collections.abc import Iterator
from pathlib import Path

import probe.drift

# To be lowered with each that goes.
MOST = 45
# Of what is written and printed, of the comparison of two samples, and of what is looked up beside a change that was
# found: none of these finds drift.
ELSEWHERE = (
    "comparison.py", "state.py", "threshold.py", "wording.py",
    "beside.py", "beside_wording.py", "causes.py", "circumstances.py",
)  # fmt: skip


def named(source: str) -> Iterator[str]:
    """The names that a module gives to figures of its own."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(each, ast.Constant) and type(each.value) in {int, float} and each.value != -1
            for each in ast.walk(node.value)
        ):
            yield from (each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name))


def test_a_figure_is_counted_and_what_is_none_is_not() -> None:
    assert [*named("A = 3\n_B = (1, 2.5)\n_C, _D = 1, 2\nE = {1.0: 8}\nF = len(E)\nG = 'x'\n")] == [
        "A", "_B", "_C", "_D", "E",
    ]  # fmt: skip


def test_there_are_no_more_than_there_were() -> None:
    (folder,) = probe.drift.__path__
    modules = [each for each in Path(folder).glob("*.py") if each.name not in ELSEWHERE]
    found = [f"{each.stem}.{name}" for each in modules for name in named(each.read_text("utf-8"))]
    assert len(modules) > 10
    assert len(found) <= MOST, sorted(found)
