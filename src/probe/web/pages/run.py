"""The page of one run, what can be heard of it, and the run as a file: JSON, and one page that loads nothing."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from probe.audio import write_wav_into
from probe.history import listing
from probe.record import RunRecord
from probe.report import audio_peaks
from probe.report.audio_peaks import Segment
from probe.report.document import document
from probe.report.html import environment, run_page
from probe.report.html.figures import moment
from probe.report.wordless import without_words
from probe.text import escaped
from probe.web.page import Asked, Content, File, MissingError, Page

# What is larger is not read for a page.
_MOST_AUDIO_BYTES = 64_000_000


def _context(asked: Asked) -> Mapping[str, Any]:
    record = _record(asked)
    plan = record.plan
    before, after = listing.neighbours(asked.reader, plan.target.name, plan.scenario.name, plan.run_id)
    address = _address(plan.run_id)
    sounds = {
        (each.turn_num, each.chunk_num): audio_peaks.sound(each, f"{address}/audio/{_numbers(each)}.wav")
        for each in _segments(asked, record)
    }
    return {
        "title": run_page.title(record),
        "current": "Runs",
        "run": run_page.fragment(record, asked.now, sounds),
        "address": address,
        "before": None if before is None else _address(before),
        "after": None if after is None else _address(after),
        "of_target": f"/runs?target={quote(plan.target.name)}&scenario={quote(plan.scenario.name)}",
        "has_audio": bool(sounds),
        "texts": asked.settings.texts,
    }


def _json(asked: Asked) -> Content:
    record = _record(asked)
    text = escaped(json.dumps(document(record), ensure_ascii=False, indent=2))
    return Content(f"{text}\n".encode(), "application/json", f"{_file_name(record)}.json")


def _report(asked: Asked) -> Content:
    """As `probe report` writes it."""
    record = _record(asked)
    page = environment.standalone(
        run_page.title(record), run_page.fragment(record, asked.now), moment(asked.now)
    )  # fmt: skip
    return Content(page.encode(), "text/html; charset=utf-8", f"{_file_name(record)}.html")


def _audio(asked: Asked) -> Content:
    found = {_numbers(each): each for each in _segments(asked, _record(asked))}
    segment = found.get(asked.path["numbers"])
    if segment is None:
        raise MissingError("No audio of this chunk is kept (any more).")
    wav = io.BytesIO()
    write_wav_into(wav, segment.pcm, segment.sample_rate)
    return Content(wav.getvalue(), "audio/wav")


def _record(asked: Asked) -> RunRecord:
    """The run, without its words where those are not for everybody who may look."""
    record = asked.reader.get(asked.path["run_id"])
    return record if asked.settings.texts else without_words(record)


def _segments(asked: Asked, record: RunRecord) -> list[Segment]:
    """What is kept of its audio; nothing where none is, or where it is not what the record says."""
    folder = asked.settings.audio_dir
    if folder is None or not asked.settings.texts:
        return []
    # As a name in this folder, whatever the history holds.
    path = folder / Path(f"{record.plan.run_id}.wav").name
    try:
        return audio_peaks.segments(record, path) if path.stat().st_size <= _MOST_AUDIO_BYTES else []
    except (OSError, ValueError):
        return []


def _numbers(segment: Segment) -> str:
    return f"{segment.turn_num}-{segment.chunk_num}"


def _address(run_id: str) -> str:
    return f"/runs/{quote(run_id, safe='')}"


def _file_name(record: RunRecord) -> str:
    """For a header: a run's id is made of letters, digits and dashes, unless another program wrote the history."""
    return "run-" + "".join(c for c in record.plan.run_id if c.isascii() and (c.isalnum() or c == "-"))


RUN = Page("/runs/{run_id}", "Run", "run_page.html", _context)
RUN_FILES = (
    File("/runs/{run_id}/run.json", _json),
    File("/runs/{run_id}/report.html", _report),
    File("/runs/{run_id}/audio/{numbers}.wav", _audio),
)
