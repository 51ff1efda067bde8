"""What was understood of an answer is kept with its run, which is on the disk already."""

from dataclasses import replace
from pathlib import Path

from runs import UNDERSTOOD, record

from probe.history.reader import reading
from probe.history.writer import History


def test_it_is_part_of_the_record_and_nothing_else_changes(tmp_path: Path) -> None:
    history = History(tmp_path, count_spans=lambda _: 3)
    for number in (1, 2, 3):
        history.append(record(number))
    history.mark_sent([record(1).plan.run_id])
    assert history.add_transcription(record(2).plan.run_id, UNDERSTOOD)
    with reading(tmp_path) as reader:
        assert [*reader.runs()] == [record(1), replace(record(2), transcription=UNDERSTOOD), record(3)]
        assert len([*reader.points("local", "default")]) == 3
    assert [each.plan.run_id for each in history.unsent(9)] == [record(2).plan.run_id, record(3).plan.run_id]
    history.close()


def test_a_run_that_is_gone_is_no_error(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert not history.add_transcription("20231114T221320Z-000009", UNDERSTOOD)
    history.close()
