"""The documents say what the code does."""

import re
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from fault_matrix import page
from fault_matrix.elsewhere import ELSEWHERE
from msgspec import NODEFAULT, Struct, structs

import golden
from probe import config, legacy
from probe.cli.exit_codes import EXIT_CODES
from probe.cli.lookout import usual_ports
from probe.cli.run import run
from probe.config.target import ServerConfig, TargetConfig
from probe.daemon.composition import pages, slow_pages
from probe.daemon.health import Health
from probe.daemon.on_demand import OnDemand
from probe.daemon.plans import FIXED_AT_START
from probe.engine import cutter, llm_side, quotes, tts_side
from probe.engine.cutter import sentence_end
from probe.measures import ChunkMeasures, TurnMeasures
from probe.metrics.registry import Metrics
from probe.protocols import answer_text, base64_audio, fields, hearing, http_answers, sse
from probe.protocols.ollama.answer import MAX_LINE_BYTES
from probe.protocols.openai_speech import event_stream
from probe.protocols.registry import PROTOCOLS
from probe.protocols.riva import recognition, wire
from probe.protocols.wyoming import events
from probe.protocols.wyoming import hearing as wyoming_hearing
from probe.record import REASONS, Failure
from probe.report.advice import advice
from probe.transport import connection, share
from probe.transport.framing import http1, http2, http2_frames, websocket
from probe.transport.framing.base import MAX_SAID

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "probe.example.toml"
DAEMON = (ROOT / "docs" / "daemon.md").read_text("utf-8")
RUN = (ROOT / "docs" / "run.md").read_text("utf-8")
ON_DEMAND = OnDemand(lambda _: None, lambda *_: (b"", ""), lambda _: "")


def test_the_example_configuration_is_the_default_one() -> None:
    assert config.load(EXAMPLE) == config.load(None)


def test_the_example_configuration_shows_every_setting() -> None:
    text = EXAMPLE.read_text("utf-8")
    shown, known = keys(tomllib.loads(text)), keys(settings(config.Config()))
    # Without a default there is no value to show; it is there as a comment.
    without = {key for key, value in known.items() if value is None}
    assert {key for key in without if f"\n# {key.rpartition('.')[2]} = " not in text} == set()
    assert set(shown) == set(known) - without


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) < 130


@pytest.mark.parametrize("folder", ["src/probe/", "src/probe/engine/"])
def test_the_architecture_lists_every_module_and_folder_and_no_other(folder: str) -> None:
    """The rows of a table are the files and folders of the folder that its head names."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    head = f"| in `{folder.removeprefix('src/probe/') or folder}` | what |"
    rows = text.partition(f"{head}\n")[2].partition("\n\n")[0]
    cells = "".join(row.split("|")[1] for row in rows.splitlines())
    # A room's own rooms may have a row, too: they are there.
    named = {each for each in re.findall(r"`([^`]+)`", cells) if (ROOT / folder / each).parent == ROOT / folder}
    found = [each for each in (ROOT / folder).iterdir() if not each.name.startswith("__") and each.name != "py.typed"]
    assert {f"{each.name}/" if each.is_dir() else each.name for each in found} == named


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "deploy").rglob("*.md"),
    ]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8"))]
    local = [(page, *link.partition("#")[::2]) for page, link in links if "://" not in link]
    assert len(local) > 100
    assert [(page.name, path) for page, path, _ in local if not (page.parent / path).exists()] == []
    anchored = [(page, page.parent / path if path else page, anchor) for page, path, anchor in local if anchor]
    assert [(page.name, anchor) for page, to, anchor in anchored if anchor not in anchors(to)] == []


def test_the_cells_of_tables_are_short() -> None:
    """Names in code and the targets of links not counted; docs/faults.md is made of a table in code."""
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "deploy" / "README.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
    long = [
        f"{page.name}: {cell.strip()}"
        for page in pages
        for row in page.read_text("utf-8").splitlines()
        if row.startswith("|") and page.name != "faults.md"
        for cell in row.split("|")
        if len(re.sub(r"`[^`]*`|\]\([^)]*\)", "", cell)) > 120
    ]
    assert long == []


def anchors(page: Path) -> set[str]:
    """What a link can end with, made of each heading as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_docs_name_every_flag_of_run() -> None:
    flags = {flag for option in run.params if isinstance(option, click.Option) for flag in option.opts}
    assert {flag for flag in flags if f"`{flag}" not in RUN and f" {flag}" not in RUN} == set()


def test_the_docs_name_every_outcome_and_exit_code() -> None:
    for outcome, code in EXIT_CODES.items():
        assert f"| {code} | `{outcome}` |" in RUN


def test_the_docs_explain_every_failure() -> None:
    text = (ROOT / "docs" / "failures.md").read_text("utf-8")
    for stage, reasons in REASONS.items():
        for reason in reasons:
            assert f"| {stage} | `{reason}` |" in text


def test_the_docs_advise_what_a_report_does() -> None:
    text = (ROOT / "docs" / "failures.md").read_text("utf-8").replace("`", "")
    rows = re.findall(r"^\| (\w+) \| (\w+) \| .* \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) > sum(map(len, REASONS.values()))
    for stage, reason, todo in rows[1:]:
        assert advice(Failure(stage, reason, "", 0)) == todo


def test_the_docs_explain_every_metric() -> None:
    text = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    golden = (ROOT / "tests" / "golden" / "metrics.txt").read_text("utf-8")
    names = {line.partition(" ")[0].removeprefix("voice_probe_") for line in golden.splitlines() if line[0] != " "}
    assert {name for name in names if f"| `{name}`" not in text} == set()


def test_the_docs_name_every_span_and_attribute() -> None:
    text = (ROOT / "docs" / "telemetry.md").read_text("utf-8")
    golden = ROOT / "tests" / "golden"
    trees = [
        (golden / f"spans_{name}.txt").read_text("utf-8")
        for name in ("ok", "failed", "skipped", "free_running", "hearing", "machine")
    ]
    named = set(re.findall(r"^ *[.*] ([\w.]+)", "\n".join(trees), re.MULTILINE))
    measures = {f"probe.{name}" for name in ChunkMeasures.__dataclass_fields__}
    assert len(named) > 20
    assert {name for name in named - measures if f"`{name}`" not in text} == set()


def test_the_docs_define_every_measure() -> None:
    text = (ROOT / "docs" / "measures.md").read_text("utf-8")
    names = {*ChunkMeasures.__dataclass_fields__, *TurnMeasures.__dataclass_fields__} - {"chunks"}
    assert {name for name in names if f"| `{name}` |" not in text} == set()


def test_the_table_of_what_ends_a_sentence_holds() -> None:
    """Each row's text is cut where the row says, and whatever else the row names ends none."""
    text = (ROOT / "docs" / "measures.md").read_text("utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (?:`([^`]+)`|not yet) \| (.*) \|$", text, re.MULTILINE)
    assert len(rows) == 12
    for so_far, first, _ in rows:
        written = so_far.replace("\\n", "\n")
        end = sentence_end(written)
        assert ("" if end is None else written[:end]) == first.replace("\\n", "\n"), so_far
    (names,) = (why for so_far, _, why in rows if so_far.startswith("Dr."))
    named = [*re.findall(r"`([^`]+)\.`", names), "Dr"]
    assert {each.lower() for each in named} == cutter._ABBREVIATIONS
    assert all(f"`{mark}`" in text for mark in cutter._ALWAYS.replace("\n", "") + cutter._BEFORE_SPACE)


def test_the_docs_list_every_page() -> None:
    served = {*pages(Metrics("1", []), Health()), *slow_pages(ON_DEMAND)}
    assert set(re.findall(r"`(/\w*)`(?=[^|]* \| )", "".join(re.findall(r"^\| `/.*", DAEMON, re.MULTILINE)))) == set(
        served
    )


def test_the_docs_name_what_a_reload_can_not_change() -> None:
    for setting in FIXED_AT_START:
        assert f"`[{setting.partition('.')[0]}]`" in DAEMON


def test_the_docs_list_every_protocol_with_its_options() -> None:
    rows = [
        f"| `{protocol.name}` | `{role}` | {', '.join(f'`{each.name}`' for each in structs.fields(protocol.options))} |"
        for role, protocols in PROTOCOLS.items()
        for protocol in protocols.values()
    ]
    assert [row for row in rows if row not in DAEMON] == []


def test_the_docs_name_every_key_of_version_0_1() -> None:
    assert [key for key in (*legacy.KEYS, *legacy.LIMITS) if f"`{key}`" not in DAEMON] == []


def test_the_page_of_faults_is_what_the_table_says() -> None:
    golden.check_file(ROOT / "docs" / "faults.md", page.page())


def settings(value: Any) -> Any:
    """Every setting, as it would be written."""
    if isinstance(value, ServerConfig):
        common = {"protocol": value.protocol.name, "url": value.url, "headers": value.headers}
        return common | structs.asdict(value.options)
    if isinstance(value, TargetConfig):
        tables = structs.asdict(value)
        return settings(tables.pop("servers") | tables)
    if isinstance(value, Struct):
        return settings(structs.asdict(value))
    return {name: settings(each) for name, each in value.items()} if isinstance(value, dict) else value


def keys(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Every key, dotted where a table is a section of its own; a pause and the headers are values."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict) and not key.endswith("_pause") and key != "headers":
            found |= keys(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def test_a_page_of_a_protocol_names_each_of_its_options_with_its_default() -> None:
    for path in (ROOT / "docs" / "protocols").glob("[a-z]*.md"):
        protocols = [known[path.stem] for known in PROTOCOLS.values() if path.stem in known]
        text = path.read_text("utf-8")
        for each in (option for protocol in protocols for option in structs.fields(protocol.options)):
            default = each.default_factory() if each.default is NODEFAULT else each.default
            shown = "not sent" if default is None else f"{default}"
            assert re.search(rf"^\| `{each.name}` \| `?{re.escape(shown)}`? \|", text, re.MULTILINE), each.name


def test_what_is_played_elsewhere_is_there() -> None:
    for each in ELSEWHERE:
        path, _, name = each.test.partition("::")
        assert f"def {name}(" in (ROOT / "tests" / path).read_text("utf-8"), each.test


def test_the_bounds_in_the_page_on_security_are_those_of_the_code() -> None:
    page = " ".join((ROOT / "docs" / "security.md").read_text().split())
    mib, kib = 2**20, 2**10
    of_result = recognition.MAX_MESSAGE_BYTES // kib
    beside = f"{base64_audio.MAX_PARSED_BYTES // kib} KiB"
    frames, whole = f"{connection.MAX_CONNECTION_FRAMES:,} frames", f"{answer_text.MAX_TEXT:,} characters"
    for said in (
        f"| a text message, a line or event of an answer, an error's body | {websocket.MAX_TEXT_BYTES // kib} KiB |",
        f"| an event with audio | {event_stream.MAX_EVENT_BYTES // mib} MiB, of a WebSocket {beside} without that |",
        f"| a line of Ollama's answer | {MAX_LINE_BYTES // kib} KiB |",
        f"its audio | {events.MAX_LINE_BYTES // kib} KiB, {events.MAX_DATA_BYTES // mib} MiB, ",
        f" MiB, {events.MAX_PAYLOAD_BYTES // mib} MiB |",
        f"| the Wyoming events of a connection | {events.MAX_EVENTS:,} |",
        f"| what a Wyoming server sends about one transcript | {wyoming_hearing.MAX_BYTES // mib} MiB |",
        f"or about what an agent hears in one turn | {hearing.MAX_EVENTS:,} |",
        f"| a message of Riva about a transcript; its fields | {of_result} KiB; {recognition.MAX_FIELDS:,} |",
        f"| all of them in a turn | {recognition.MAX_BYTES // mib} MiB, {hearing.MAX_EVENTS:,} messages |",
        f"| what is kept of a transcript | {hearing.MAX_TRANSCRIPT:,} characters |",
        f"fields of a message | {wire.MAX_MESSAGE_BYTES // mib} MiB; {wire.MAX_MESSAGES:,}, {wire.MAX_FIELDS:,} |",
        f"| an HTTP/2 frame | {http2_frames.MAX_FRAME_BYTES // kib} KiB |",
        f"| a binary message | {websocket.MAX_MESSAGE_BYTES // mib} MiB |",
        f"| a connection | {connection.MAX_CONNECTION_BYTES // mib} MiB, and {frames} |",
        f"| the audio of a run | {tts_side.MAX_AUDIO_BYTES // mib} MiB, in {tts_side.MAX_PIECES:,} pieces |",
        f"| the values of a JSON document | {fields.MOST_MARKS // 2:,} |",
        f"| the text of a chunk, a whole answer over HTTP | {llm_side.MAX_CHUNK_TEXT:,} and {whole} |",
        f"| the tokens of a chunk, the chunks of an answer | {llm_side.MAX_TOKENS:,} and {llm_side.MAX_CHUNKS} |",
        f"| what a server says in addition to its answer | {quotes.MAX_QUOTES} sentences of {MAX_SAID} characters |",
        f"| an HTTP head | {http1.MAX_HEAD_BYTES // kib} KiB, in HTTP/1.1 {http1.MAX_HEAD_LINES} lines |",
        f"| the settings of an HTTP/2 connection | {http2_frames.MAX_SETTINGS} |",
        f"{share.SHARE_S * 1000:g} ms of each turn of the event loop",
    ):
        assert said in page
    assert http2.MAX_HEAD_BYTES == http1.MAX_HEAD_BYTES == http2_frames.MAX_BLOCK_BYTES
    assert event_stream.MAX_EVENT_BYTES == base64_audio.MAX_EVENT_BYTES == websocket.MAX_MEDIA_TEXT_BYTES
    assert sse.MAX_LINE_BYTES == http_answers.MAX_BODY_BYTES == websocket.MAX_TEXT_BYTES


@pytest.mark.parametrize("name", sorted({name for protocols in PROTOCOLS.values() for name in protocols}))
def test_what_can_be_measured_lists_every_protocol_and_where_it_is_looked_for(name: str) -> None:
    measured, _, found = (ROOT / "docs" / "protocols" / "README.md").read_text("utf-8").partition("## How")
    assert f"[`{name}`]" in measured
    (row,) = [line for line in found.splitlines() if line.startswith(f"| `{name}` |")]
    ports = [port for known in PROTOCOLS.values() if name in known for port in usual_ports(known[name])]
    assert row.split("|")[2].strip() == ", ".join(map(str, dict.fromkeys(ports)))
