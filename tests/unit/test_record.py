"""A record survives JSON; nothing else is accepted as one."""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import chunk, failure, heard, record, turn

from probe.plan import Plan
from probe.record import REASONS, Chunk, Failure, RunRecord, Stage

PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    NoneType: st.none(),
    int: st.integers(),
    str: st.text(),
    bool: st.booleans(),
    bytes: st.binary(),
    bytearray: st.binary().map(bytearray),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Any: st.one_of(st.text(), st.integers(), st.booleans()),
}


def arbitrary(kind: Any) -> st.SearchStrategy[Any]:
    """Any value of a record's type; of a dataclass with every field given, so that none is forgotten."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        return st.builds(
            kind,
            **{
                field.name: arbitrary(hints[field.name])
                for field in fields(kind)
                if field.name not in ("headers", "speech", "speech_dir")
            },
        )
    if get_origin(kind) is Mapping:
        keys, values = map(arbitrary, get_args(kind))
        return st.dictionaries(keys, values, max_size=3)
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            return st.lists(arbitrary(kinds[0]), max_size=3).map(tuple)
        return st.tuples(*map(arbitrary, kinds))
    if get_origin(kind) in (Union, UnionType):
        return st.one_of([arbitrary(each) for each in get_args(kind)])
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    return PLAIN[kind]


@given(arbitrary(RunRecord))
def test_any_record_survives_json(anything: RunRecord) -> None:
    text = anything.to_json()
    assert "\n" not in text and text.encode()
    back = RunRecord.from_json(text)
    assert back == anything
    assert back.to_json() == text
    assert [type(field) for field in vars_of(back)] == [type(field) for field in vars_of(anything)]


def vars_of(anything: RunRecord) -> list[Any]:
    """The plain values inside; floats stay floats, tuples tuples."""
    flat: list[Any] = []
    stack: list[Any] = [anything]
    while stack:
        value = stack.pop()
        if is_dataclass(value):
            stack += [getattr(value, field.name) for field in fields(value) if field.name != "pcm"]
        elif isinstance(value, tuple):
            flat.append(value)
            stack += value
        else:
            flat.append(value)
    return flat


WHOLE = record(
    turn(chunk(1, frames=[(500, 100), (600, 50)], sound=heard(20), segment_end="gap"), chunk(2, 700), done=900),
    failure=failure(),
    doubts=("the event loop stood still for 60 ms",),
)


def test_the_audio_itself_stays_out_of_the_json() -> None:
    loud = replace(WHOLE.turns[0].chunks[0], pcm=b"\x01\x02" * 5000)
    spoken = replace(WHOLE, turns=(replace(WHOLE.turns[0], chunks=(loud,)),))
    assert "pcm" not in spoken.to_json() and len(spoken.to_json()) < 3000
    back = RunRecord.from_json(spoken.to_json())
    assert back.turns[0].chunks[0].pcm == b""
    assert back == spoken, "PCM is no part of what a record says"


def test_a_record_written_before_a_field_existed_reads_with_its_default() -> None:
    document = json.loads(WHOLE.to_json())
    del document["doubts"], document["turns"][0]["chunks"][0]["late_audio_bytes"]
    assert RunRecord.from_json(json.dumps(document)) == replace(WHOLE, doubts=())


@pytest.mark.parametrize(
    "text",
    [
        "", "no json", "null", "7", "[]", '"text"', "{}", '{"plan": 7}', "[" * 100_000, '{"plan": ' + "9" * 5000 + "}",
        '{"plan": {}, "started": 1, "ended": 2}',
    ],
)  # fmt: skip
def test_text_that_is_no_record_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        RunRecord.from_json(text)


def spoiled(*path: Any, value: Any) -> str:
    document = json.loads(WHOLE.to_json())
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("started",), None),
        (("started",), "1700000000"),
        (("started",), 1.5),
        (("started",), True),
        (("started",), 1e400),
        (("unheard_of",), 1),
        (("turns",), None),
        (("turns",), {}),
        (("turns",), "abc"),
        (("turns", 0), []),
        (("doubts",), "abc"),
        (("doubts",), [7]),
        (("skipped",), 7),
        (("failure", "stage"), "disk"),
        (("failure", "stage"), ["tts"]),
        (("failure",), []),
        (("plan", "run_id"), None),
        (("plan", "target", "objective_ms"), "1000"),
        (("plan", "target", "objective_ms"), 10**400),
        (("plan", "target", "limits", "run_s"), True),
        (("plan", "scenario", "prompt_cache"), "warm"),
        (("turns", 0, "chunks", 0, "final"), 1),
        (("turns", 0, "chunks", 0, "segment_end"), "END"),
        (("turns", 0, "chunks", 0, "frames"), [[1, 2, 3]]),
        (("turns", 0, "chunks", 0, "frames"), [[1]]),
        (("turns", 0, "chunks", 0, "frames"), [1, 2]),
        (("turns", 0, "chunks", 0, "frames"), "ab"),
        (("turns", 0, "chunks", 0, "pcm"), "ab"),
        (("turns", 0, "chunks", 0, "sound", "samples"), 0.5),
    ],
)
def test_a_field_of_the_wrong_kind_is_a_value_error(path: tuple[Any, ...], value: Any) -> None:
    with pytest.raises(ValueError, match="not a run record"):
        RunRecord.from_json(spoiled(*path, value=value))


def test_a_whole_number_will_do_for_a_fraction() -> None:
    back = RunRecord.from_json(spoiled("plan", "target", "objective_ms", value=800))
    assert isinstance(back.plan.target.objective_ms, float) and back.plan.target.objective_ms == 800


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def nearly_records(draw: st.DrawFn) -> str:
    """A record's JSON with something else in one place of it."""
    document = json.loads(WHOLE.to_json())
    place: Any = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or draw(st.booleans()):
            place[key] = draw(any_json)
            return json.dumps(document)
        place = place[key]


@given(st.one_of(any_json.map(json.dumps), st.text(), nearly_records()))
def test_any_text_is_a_record_or_a_value_error(text: str) -> None:
    try:
        read = RunRecord.from_json(text)
    except ValueError:
        return
    assert RunRecord.from_json(read.to_json()).to_json() == read.to_json()


def test_reasons_are_a_closed_list_for_every_stage() -> None:
    assert set(REASONS) == set(get_args(Stage))
    assert all(len(set(reasons)) == len(reasons) > 0 for reasons in REASONS.values())


@pytest.mark.parametrize("kind", [Plan, Failure, Chunk, RunRecord])
def test_values_are_frozen(kind: Any) -> None:
    assert kind.__dataclass_params__.frozen
    assert not hasattr(kind, "__dict__") or "__slots__" in vars(kind)
