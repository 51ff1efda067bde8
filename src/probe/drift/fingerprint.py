"""What a run measured: models, voice, configuration. Runs with the same fingerprint may be compared, others may not."""

import hashlib
import json
from dataclasses import dataclass

from probe import legacy
from probe.plan import AUDIBLE_DBFS
from probe.record import RunRecord
from probe.typed_json import plain

# What a thing is called, where courtesy looks, and how patient we are: none of it moves a latency.
_OF_NO_EFFECT = {
    "target": ("name", "objective_ms", "objective_measure", "machine", "exporters", *legacy.ASKED_BESIDE),
    "limits": ("connect_s", "llm_s", "tts_s", "run_s", "release_s", "stt_s"),
    # Where an answer ends moves no latency before it.
    "scenario": ("name", "max_answer_tokens", "max_chunks"),
}


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Runs with equal ones had the same servers and the same settings, as far as is known.

    `llm` is the model and its server's build, empty where it does not say; `tts` what was asked of the TTS
    server; `config` a fingerprint of everything in the configuration that may move a latency.
    """

    llm: str
    tts: str
    config: str


def fingerprint(record: RunRecord) -> Fingerprint:
    """The fingerprint of what this run measured."""
    target, served = record.plan.target, record.served
    rate = target.option("tts", "sample_rate")
    asked = (*(target.option("tts", name) for name in ("model", "voice", "language")), f"{rate} Hz" if rate else None)
    return Fingerprint(
        # Not the model that was asked for: a server that once does not answer is what it was, see `Monitor`.
        llm=" ".join(part for part in (served.model, served.build) if part),
        tts=" ".join(part for part in asked if part),
        config=_fingerprint(record),
    )


def _fingerprint(record: RunRecord) -> str:
    # As in the history: a run is of the same configuration before it is stored, and after.
    target, scenario = legacy.flat_target(plain(record.plan.target)), plain(record.plan.scenario)
    for part, name in ((target, "target"), (target["limits"], "limits"), (scenario, "scenario")):
        for key in _OF_NO_EFFECT[name]:
            part.pop(key, None)
    # Settings that version 0.1 had not.
    if scenario["flow"] is None:
        del scenario["flow"]
    for key in ("user_audio", "snr_db", "interrupt_after_ms"):
        if scenario[key] in ([], None):
            del scenario[key]
    if target["audible_dbfs"] == AUDIBLE_DBFS:
        del target["audible_dbfs"]
    if target["user_speech"] is None:
        del target["user_speech"]
    return hashlib.sha256(json.dumps([target, scenario], sort_keys=True).encode()).hexdigest()[:8]


def filled(known: Fingerprint | None, new: Fingerprint) -> Fingerprint:
    """The new one, as far as it is known: a server that does not say what it is, is what it was."""
    if known is None or new.llm:
        return new
    return Fingerprint(known.llm, new.tts, new.config)
