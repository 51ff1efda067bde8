"""The file of what runs may have left: whole or ignored, bounded, and readable by its owner alone."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.daemon.unfinished_notes import (
    FILE_NAME,
    MOST_BYTES,
    MOST_NOTES,
    VERSION,
    Note,
    UnreadableError,
    address,
    decode,
    encode,
    keep,
    name,
    read,
)
from probe.history.private import replace
from probe.plan import ServerPlan

NOTE = Note("20231114T221320Z-000001", 2, "spark", "0a1b", released=1, ended=True, waited_s=3.5)
PLAIN = {"run_id": "r", "turns": 1, "target": "spark", "server": "0a1b"}


def written(*runs: Any, version: Any = VERSION) -> bytes:
    return json.dumps({"version": version, "runs": runs}).encode()


def test_what_is_written_is_read_again() -> None:
    assert decode(encode([NOTE])) == (NOTE,)
    assert decode(written(PLAIN)) == (Note("r", 1, "spark", "0a1b"),)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        encode([NOTE])[:-1],
        encode([NOTE])[: len(encode([NOTE])) // 2],
        written(PLAIN, version=0),
        written(PLAIN, version=2),
        json.dumps({"runs": [PLAIN]}).encode(),
        written({**PLAIN, "turns": 0}),
        written({**PLAIN, "turns": 10**9}),
        written({**PLAIN, "turns": "1"}),
        written({**PLAIN, "run_id": "r" * 1000}),
        written({**PLAIN, "released": -1}),
        written({**PLAIN, "waited_s": -1}),
        written({**PLAIN, "waited_s": 10**400}),
        written({"run_id": "r"}),
        written(*[PLAIN] * (MOST_NOTES + 1)),
        encode([NOTE]) + b" " * MOST_BYTES,
    ],
)  # fmt: skip
def test_what_is_damaged_or_too_large_or_of_another_version_is_refused_in_our_words(data: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"^(not as it was written|larger than)"):
        decode(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_notes_or_refused(data: bytes) -> None:
    try:
        decode(data)
    except UnreadableError:
        return


def test_the_file_is_bounded_whatever_is_noted() -> None:
    longest = Note("r" * 100, 100, name("\N{PILE OF POO}" * 1000), "0" * 32, 100, ended=True, waited_s=86_400.123)
    data = encode([longest] * (MOST_NOTES * 3))
    assert len(data) < MOST_BYTES
    assert len(decode(data)) == MOST_NOTES


def test_the_newest_are_kept() -> None:
    notes = [Note(f"run {number}", 1, "spark", "0a1b") for number in range(MOST_NOTES + 1)]
    assert decode(encode(notes)) == (*notes[1:],)


def test_a_file_is_for_its_owner_alone_and_is_there_only_while_it_says_something(tmp_path: Path) -> None:
    path = tmp_path / "state" / FILE_NAME
    assert read(path) == ()
    before = os.umask(0)
    try:
        keep(path, replace, [NOTE])
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read(path) == (NOTE,)
    keep(path, replace, ())
    assert [*path.parent.iterdir()] == []
    keep(path, replace, ())


def test_a_kill_while_writing_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / FILE_NAME
    keep(path, replace, [NOTE])

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        keep(path, replace, [NOTE] * 2)
    monkeypatch.undo()
    assert read(path) == (NOTE,)
    keep(path, replace, [NOTE] * 2)
    assert read(path) == (NOTE, NOTE)


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(UnreadableError):
        read(path)


def test_a_server_is_known_by_its_address_and_no_secret_is_part_of_that() -> None:
    one = address("llm", ServerPlan("chunked", "ws://user:one@spark:8002/ws?key=1", {}))
    assert one == address("llm", ServerPlan("chunked", "ws://spark:8002/ws", {"llama_url": "http://spark"}))
    others = [("llm", "chunked", "ws://spark:8003/ws"), ("llm", "other", "ws://spark:8002/ws")]
    assert one not in [address("llm", ServerPlan(protocol, url, {})) for _, protocol, url in others]
    assert len(one) == 32
