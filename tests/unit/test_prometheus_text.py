"""Samples of a page in Prometheus' text format."""

import pytest

from probe.prometheus_text import Page, Sample, amount, samples, total


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (b"a 1\n", [Sample({}, 1.0)]),
        (b"# HELP a x\n# TYPE a gauge\na 1 1700000000000\nab 2\nba 3\na_sum 4\na", [Sample({}, 1.0)]),
        (b'a{x="1",y="}, \\" = \\\\"} 2.5e3', [Sample({"x": "1", "y": '}, " = \\'}, 2500.0)]),
        (b'a{x="1", y="2",} 1 # {trace_id="z"} 7\n', [Sample({"x": "1", "y": "2"}, 1.0)]),
        (b'a{x="line\\nbreak"}\t1\r\n', [Sample({"x": "line\nbreak"}, 1.0)]),
        (b"a{} 1\n\na 2\n", [Sample({}, 1.0), Sample({}, 2.0)]),
        (b'a NaN\na +Inf\na x\na{x="1} 1\na{x=1} 1\na{ 1\na{x="1"\na\n', []),
        (b'a{x="' + b"y" * 5000 + b'"} 1\n', []),
        (b"", []),
    ],
)  # fmt: skip
def test_the_samples_of_one_metric(page: bytes, found: list[Sample]) -> None:
    assert samples(page, "a") == found
    several = Page(b"b 5\n" + page + b"\nb 6\n", ("none", "a", "b"))
    assert (several.samples("a"), several.values("b"), several.samples("none")) == (found, [5.0, 6.0], [])
    assert several.values("a") == [each.value for each in found]


@pytest.mark.parametrize(
    "line",
    [
        b'a{x="1",mode="idle"} 2',
        b'a{mode="idle",xmode="user"} 2',
        b'a{xmode="user",mode="idle"} 2',
        b'a{x="1", mode="idle"} 2',
        b'a{x="\\n",mode="idle"} 2',
        b'a{x="\xff",mode="idle",} 2',
    ],
)
def test_samples_are_added_up_by_a_label_however_it_is_written(line: bytes) -> None:
    page = Page(b'a{mode="user"} 3\na{mode="idle"} 1\na 7\n' + line, ("a",))
    assert page.sums("a", "mode") == {"user": 3.0, "idle": 3.0, "": 7.0}
    assert (page.amount("a"), page.amount("b")) == (13.0, None)


def test_a_name_is_one_line_and_short() -> None:
    (found,) = samples(b'a{x="6.1\x1b[31m\\n' + "ä\u202e".encode() + b"y" * 300 + b'"} 1\n', "a")
    name = found.name("x")
    assert name is not None and name.startswith("6.1[31mäy") and len(name) < 256
    assert (found.name("y"), Sample({"x": " \n"}, 1.0).name("x")) == (None, None)


def test_the_first_of_several_names_that_is_there_counts() -> None:
    page = b'new{engine="0"} 1\nnew{engine="1"} 2\nold 9\n'
    assert (total(page, "newest", "new", "old"), total(page, "none")) == (3.0, None)


@pytest.mark.parametrize("value", [b"1e300", b"-1e300", b"1e308\na 1e308"])
def test_an_absurd_sum_is_none(value: bytes) -> None:
    assert amount(b"a " + value + b"\n", "a") is None
    assert Page(b"a " + value + b"\n", ("a",)).amount("a") is None


def test_of_too_many_samples_there_is_no_sum() -> None:
    page = b'a{engine="0"} 1\n' * 4
    assert (total(page, "a", most=4), total(page, "a", most=3)) == (4.0, None)
