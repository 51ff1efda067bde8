"""Who may import what, read from the source: the rules that CONTRIBUTING.md explains, as one table.

A module uses every module that it imports, anywhere in its text, and `os.environ` when it reads the environment.
`stdlib` stands for every module of the standard library.
"""

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
CLIENT = "probe probe.* !probe.reference !probe.reference.*"
# The only ones that know both what measures and who reads the record.
COMPOSING = "probe.__main__ probe.measurement " + " ".join(
    f"probe.{room} probe.{room}.*" for room in ("cli", "config", "daemon")
)
SINKS = " ".join(f"probe.{room} probe.{room}.*" for room in ("history", "metrics", "otlp", "tracing", "report"))
READING = f"{SINKS} probe.drift probe.drift.*"
# They do not wait, and none looks at a clock, except for the id of a new plan.
PURE = " ".join(
    f"probe.{name}"
    for name in (
        "plan",
        "record",
        "heard",
        "typed_json",
        "legacy",
        "progress",
        "timestamps",
        "text",
        "machine.state",
        "prometheus_text",
        "server_state",
        "transcription",
    )
)
# What a protocol and the engine, and what a connection and a protocol, say to each other.
INTERFACE = " ".join(
    f"probe.protocols.{name}" for name in ("base", "agent", "hearing", "declaration", "inquiries", "segments", "choice")
)
FRAMES = "probe.transport.framing.base"
VALUES = (
    f"{PURE} probe.recent probe.blame probe.delays probe.measures probe.outside probe.playing "
    "probe.whole_wait probe.waits probe.audio probe.clock probe.urls probe.credentials"
)


@dataclass(frozen=True)
class Rule:
    """Modules that match `of` never use what matches `never`, unless it matches `but` too.

    Patterns are separated by spaces; a leading `!` takes modules out again. `broken_by` is a module and a line of it
    that the rule must catch.
    """

    why: str
    of: str
    never: str
    broken_by: tuple[str, str]
    but: str = ""


def without(patterns: str) -> str:
    return " ".join(f"!{pattern}" for pattern in patterns.split())


RULES = [
    Rule(
        "the record, the clock, timestamps and text need nothing, so everything can use them",
        of=f"{PURE} probe.clock",
        never="*",
        but="stdlib probe.plan probe.record probe.heard probe.timestamps probe.legacy probe.typed_json probe.urls "
        "probe.machine.state probe.server_state probe.transcription",
        broken_by=("probe.record", "import pydantic"),
    ),
    Rule(
        "audio is arithmetic",
        of="probe.audio",
        never="*",
        but=f"stdlib {PURE}",
        broken_by=("probe.audio", "import numpy"),
    ),
    Rule(
        "whether it was speech is arithmetic",
        of="probe.speechlike",
        never="*",
        but=f"stdlib {PURE} probe.audio",
        broken_by=("probe.speechlike", "import numpy"),
    ),
    Rule(
        "measures are functions of the record",
        of="probe.measures probe.delays probe.blame probe.outside probe.playing probe.whole_wait probe.waits "
        "probe.words probe.spoken_words",
        never="*",
        but=f"stdlib {PURE} probe.audio probe.delays probe.measures probe.playing probe.spoken_words probe.whole_wait"
        " probe.words",
        broken_by=("probe.measures", "from probe.clock import Clock"),
    ),
    Rule(
        "the machine is read without knowing of what is measured on it",
        of="probe.machine probe.machine.*",
        never="probe.*",
        but="probe.machine.* probe.prometheus_text probe.urls",
        broken_by=("probe.machine.host", "from probe.record import RunRecord"),
    ),
    Rule(
        "drift is a function of a series",
        of="probe.drift probe.drift.*",
        never="*",
        but=f"stdlib {PURE} probe.blame probe.measures probe.waits probe.drift probe.drift.*",
        broken_by=("probe.drift", "from probe import config"),
    ),
    Rule(
        "a protocol knows nothing of who uses it",
        of="probe.protocols probe.protocols.*",
        never="probe.*",
        but=f"{PURE} probe.audio probe.urls {FRAMES} probe.protocols probe.protocols.*",
        broken_by=("probe.protocols.base", "from probe.transport.connection import Endpoint"),
    ),
    Rule(
        "the interface between engine and protocols knows no protocol",
        of=INTERFACE,
        never="probe.protocols.*",
        but=INTERFACE,
        broken_by=("probe.protocols.base", "from probe.protocols.magpie import codec"),
    ),
    Rule(
        "one protocol knows no other, nor which others there are",
        of=f"probe.protocols.* {without(INTERFACE)} {without('probe.protocols.registry probe.protocols.magpie*')}",
        never="probe.protocols.magpie probe.protocols.magpie.* probe.protocols.registry",
        broken_by=("probe.protocols.llama_chunked.codec", "from probe.protocols.magpie import codec"),
    ),
    Rule(
        "a connection knows frames, and not what they say",
        of="probe.transport probe.transport.*",
        never="probe.*",
        but=f"{PURE} probe.clock probe.urls probe.transport probe.transport.*",
        broken_by=("probe.transport.connection", "from probe.protocols.base import Token"),
    ),
    Rule(
        "a framing turns bytes into frames: it neither waits nor looks at a clock",
        of="probe.transport.framing probe.transport.framing.*",
        never="asyncio select selectors socket ssl threading time probe.clock",
        broken_by=("probe.transport.framing.http1", "import asyncio"),
    ),
    Rule(
        "a protocol turns bytes into events: it neither waits nor looks at a clock",
        of="probe.protocols probe.protocols.*",
        never="asyncio http.* select selectors socket ssl threading time urllib.request websockets* h11* h2* "
        "probe.clock",
        broken_by=("probe.protocols.base", "def f():\n    import asyncio"),
    ),
    Rule(
        "one room talks to the network, and one file reads what exporters answer to a thread",
        of=f"{CLIENT} !probe.transport !probe.transport.* !probe.machine.answer",
        never="websockets* h11* h2*",
        broken_by=("probe.engine.runner", "from websockets.asyncio.client import connect"),
    ),
    Rule(
        "what measures knows neither who reads the record, nor who composes, nor which protocols there are",
        of="probe.engine probe.engine.* probe.transport probe.transport.* probe.plan",
        never=f"{COMPOSING} {READING} probe.protocols probe.protocols.*",
        but=INTERFACE,
        broken_by=("probe.engine.runner", "from probe.report import terminal"),
    ),
    Rule(
        "a sink reads finished records, whoever made them",
        of=SINKS,
        never="probe.*",
        but=f"{VALUES} {READING} probe.transport.ask probe.transport.connection probe.transport.framing.base",
        broken_by=("probe.tracing.exporter", "import probe.engine.runner"),
    ),
    Rule(
        "one file for each reader of the record, and for what it writes to",
        of=f"{CLIENT} {without('probe.history.* probe.metrics.registry probe.metrics.exposition')} "
        f"{without('probe.metrics.last_run probe.metrics.drift probe.metrics.daemon probe.metrics.one_run')} "
        f"{without('probe.metrics.machine probe.metrics.changes probe.metrics.servers')} "
        f"{without('probe.metrics.intelligibility')} "
        f"{without('probe.metrics.otlp probe.metrics.points probe.otlp.http probe.otlp.grpc')} "
        f"{without('probe.daemon.log probe.tracing.otlp')}",
        never="sqlite3 prometheus_client* structlog* opentelemetry* grpc* google.protobuf*",
        broken_by=("probe.tracing.exporter", "import grpc"),
    ),
    Rule(
        "spans and the figures of the histograms are functions of the record",
        of="probe.tracing.span* probe.tracing.attributes probe.tracing.genai probe.metrics.observations "
        "probe.report.replay",
        never="*",
        but=f"stdlib {PURE} probe.measures probe.outside probe.whole_wait probe.waits probe.blame probe.drift "
        "probe.drift.* probe.urls probe.tracing.span probe.tracing.attributes probe.tracing.genai",
        broken_by=("probe.tracing.spans", "from probe.history.writer import History"),
    ),
    Rule(
        "one module handles the garbage collector, and one watches it",
        of=f"{CLIENT} !probe.garbage !probe.engine.self_check",
        never="gc",
        broken_by=("probe.daemon.service", "import gc"),
    ),
    Rule(
        "metrics are made of records, wherever they come from",
        of="probe.metrics probe.metrics.*",
        never="probe.history* probe.tracing* probe.report*",
        broken_by=("probe.metrics.backfill", "from probe.history.reader import reading"),
    ),
    Rule(
        "the history keeps records, the points of their series and their detectors; it knows no reader",
        of="probe.history probe.history.*",
        never="probe.*",
        but=f"{PURE} probe.recent probe.measures probe.waits probe.history.* probe.drift probe.drift.series "
        "probe.drift.fingerprint probe.drift.state probe.drift.circumstances",
        broken_by=("probe.history.writer", "from probe.tracing import spans"),
    ),
    Rule(
        "a collector is a collector, whatever is delivered to it",
        of="probe.otlp probe.otlp.*",
        never=f"{READING}",
        but="probe.otlp.*",
        broken_by=("probe.otlp.http", "from probe.tracing.otlp import TRACES"),
    ),
    Rule(
        "spans are sent from the history, and from no other sink",
        of="probe.tracing probe.tracing.*",
        never="probe.history* probe.metrics* probe.report*",
        but="probe.history.file",
        broken_by=("probe.tracing.exporter", "from probe.history.reader import reading"),
    ),
    Rule(
        "a report is made of records, wherever they come from",
        of="probe.report probe.report.*",
        never="probe.history* probe.metrics* probe.tracing* probe.transport*",
        broken_by=("probe.report.runs", "from probe.history.reader import reading"),
    ),
    Rule(
        "the pages read the history, and share nothing with what measures or with the other sinks",
        of="probe.web probe.web.*",
        never="probe.*",
        but=f"{VALUES} probe.http_crowd probe.web probe.web.* probe.history.file probe.history.reader "
        "probe.history.listing probe.history.sample probe.history.binned probe.overview probe.config.expected "
        "probe.report probe.report.* probe.drift probe.drift.*",
        broken_by=("probe.web.app", "from probe.history.writer import History"),
    ),
    Rule(
        "only the command line starts the pages",
        of=f"{CLIENT} !probe.web !probe.web.* !probe.cli.web",
        never="probe.web probe.web.* starlette* uvicorn*",
        broken_by=("probe.daemon.http_server", "from probe.web.app import application"),
    ),
    Rule(
        "one room makes pages of templates",
        of=f"{CLIENT} !probe.report.html.* !probe.web !probe.web.*",
        never="jinja2* markupsafe*",
        broken_by=("probe.report.terminal", "from jinja2 import Environment"),
    ),
    Rule(
        "only what composes the daemon knows all of its parts",
        of=f"probe.daemon probe.daemon.* {without('probe.daemon.composition probe.daemon.collectors')} "
        f"{without('probe.daemon.history_drift probe.daemon.rebuild probe.daemon.beside_history')}",
        never=SINKS,
        but="probe.metrics.registry probe.history.file",
        broken_by=("probe.daemon.dispatch", "from probe.history.writer import Pruned"),
    ),
    Rule(
        "one module reads the environment; the command line may, for how a terminal looks",
        of=f"{CLIENT} !probe.config !probe.config.sources !probe.cli !probe.cli.*",
        never="os.environ",
        broken_by=("probe.daemon", "from os import environ"),
    ),
    Rule(
        "one module reads the configuration file",
        of=f"{CLIENT} !probe.config.sources !probe.config.lines",
        never="tomllib",
        broken_by=("probe.daemon", "import tomllib"),
    ),
    Rule(
        "the reference servers share no code with the client, so that no mistake is made on both sides",
        of="probe.reference probe.reference.*",
        never="probe.*",
        but="probe.reference probe.reference.* probe.extras",
        broken_by=("probe.reference.faults.tts", "from probe.audio import duration_ms"),
    ),
    Rule(
        "the client runs without the reference servers; the command line starts them by name",
        of=CLIENT,
        never="probe.reference probe.reference.*",
        broken_by=("probe.cli.demo", "from probe.reference import llm_server"),
    ),
]


def matches(name: str, patterns: str) -> bool:
    taken_out = [pattern[1:] for pattern in patterns.split() if pattern.startswith("!")]
    if any(fnmatchcase(name, pattern) for pattern in taken_out):
        return False
    is_stdlib = name.partition(".")[0] in sys.stdlib_module_names
    return any(fnmatchcase(name, pattern) or (pattern == "stdlib" and is_stdlib) for pattern in patterns.split())


@cache
def uses(source: str) -> tuple[str, ...]:
    return tuple(_uses(source))


def _uses(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node)
        elif isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}:
            yield "os.environ"


def _imported_from(node: ast.ImportFrom) -> Iterator[str]:
    """Yield what the names belong to: `from probe import metrics` uses probe.metrics, not only probe."""
    assert node.module, "relative imports hide where a module is: write it in full"
    for alias in node.names:
        name = f"{node.module}.{alias.name}"
        if name in {"os.environ", "os.getenv"}:
            yield "os.environ"
        else:
            yield name if _is_module(name) else node.module


def _is_module(name: str) -> bool:
    path = SOURCES.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def violations(rule: Rule, modules: Mapping[str, str]) -> list[str]:
    return [
        f"{module} uses {used}"
        for module, source in modules.items()
        if matches(module, rule.of)
        for used in uses(source)
        if matches(used, rule.never) and not matches(used, rule.but)
    ]


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def modules() -> dict[str, str]:
    return {module_name(path): path.read_text("utf-8") for path in SOURCES.rglob("*.py")}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_the_source_keeps_the_rule(rule: Rule, modules: dict[str, str]) -> None:
    assert violations(rule, modules) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.why)
def test_the_rule_can_be_broken(rule: Rule) -> None:
    module, line = rule.broken_by
    assert violations(rule, {module: line}) != []


# What is some server's own: its name, and the words of its protocol.
OF_ONE_SERVER = (
    "magpie", "llama", "start_stream", "continue_stream", "end_stream", "stream_created", "segment_complete", "ollama",
    "vllm", "kokoro", "wyoming", "riva", "openai",
)  # fmt: skip


def servers_named_in(source: str) -> list[str]:
    return re.findall(rf"\b(?:{'|'.join(OF_ONE_SERVER)})", source, re.IGNORECASE)


def test_a_name_is_found() -> None:
    assert servers_named_in("sends start_stream to llama.cpp, for its own private arrival") == ["start_stream", "llama"]


@pytest.mark.parametrize("room", ["engine", "transport", "history", "metrics", "tracing", "report", "drift", "machine"])
def test_a_room_names_no_server(room: str, modules: dict[str, str]) -> None:
    """What only one server does is in its protocol's folder."""
    inside = {name: source for name, source in modules.items() if name.startswith(f"probe.{room}")}
    named = [f"{name} names {word}" for name, source in inside.items() for word in servers_named_in(source)]
    assert inside and named == []


@pytest.mark.parametrize("name", ["record", "measures", "measurement", "plan", "audio", "speechlike"])
def test_neither_does_a_module_outside_of_the_rooms(name: str, modules: dict[str, str]) -> None:
    assert servers_named_in(modules[f"probe.{name}"]) == []
