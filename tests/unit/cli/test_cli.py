"""The command line without servers: what is refused and in which words, exit codes, and what goes to which stream."""

import asyncio
import io
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from records import chunk, failure, heard, record, turn

from probe.cli import COMMANDS, main
from probe.cli.interrupt import Interrupt
from probe.cli.serve import SERVERS
from probe.plan import Plan, Scenario, Target
from probe.record import INTERRUPTED, RunRecord
from probe.report import audio_file
from probe.tolerance import Tolerance

HEAVY = ("msgspec", "asyncio", "websockets", "opentelemetry", "prometheus_client", "numpy")
URL = "expected ws://HOST:PORT/PATH or wss://HOST/PATH"
# Either kind of server may speak either.
NO_FILE = "there is no such file; `probe init` writes one for the servers that it finds"
EITHER = f"is not a WebSocket or an HTTP URL; {URL} or http://HOST:PORT or https://HOST:PORT"
OTHERS = "".join(f" or {scheme}://HOST:PORT" for scheme in ("tcp", "grpc", "grpcs"))
ANY = EITHER.replace("an HTTP URL", "an HTTP or a TCP or a gRPC URL") + OTHERS


def answered(ms: float) -> RunRecord:
    return record(
        turn(
            chunk(
                text="Sure, ünïcorns — 🦄!", llm_first_token=100, llm_done=200, tts_text_sent=201, frames=[(ms, 500)],
                tts_segment_done=ms, segment_end="marker", sound=heard(), token_count=3,
            ),
            done=ms + 1,
        )
    )  # fmt: skip


OK = answered(500)
RECORDS = {
    "ok": OK,
    "slow": answered(1500),
    "suspect": replace(OK, doubts=("the event loop stood still for 60 ms",)),
    "failed": replace(OK, failure=failure()),
    "skipped": record(skipped="No slots available (max 1)"),
}
CODES = {"ok": 0, "failed": 1, "slow": 3, "suspect": 4, "skipped": 5}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("PROBE_") or name in ("NO_COLOR", "FORCE_COLOR", "TERM", "COLUMNS"):
            monkeypatch.delenv(name)


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """No run takes place; the plans that would have been run."""
    return executing(monkeypatch, OK)


def executing(monkeypatch: pytest.MonkeyPatch, made: RunRecord) -> list[Plan]:
    planned: list[Plan] = []

    def execute(plan: Plan, tolerance: Tolerance, live: Any) -> RunRecord:  # noqa: ARG001 - what it stands for
        planned.append(plan)
        return replace(made, plan=plan)

    def new_plan(target: Target, scenario: Scenario, **_: object) -> Plan:
        return replace(OK.plan, target=target, scenario=scenario)

    monkeypatch.setattr("probe.cli.options.new_plan", new_plan)
    monkeypatch.setattr("probe.cli.live_run._execute", execute)
    return planned


def probe(*arguments: str, charset: str = "utf-8", **options: Any) -> Result:
    result = CliRunner(charset=charset).invoke(main, arguments, **options)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def refused(*arguments: str) -> list[str]:
    result = probe(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    return result.stderr.splitlines()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["rnu"], "probe: No such command 'rnu'. Did you mean 'run'? Try `probe --help`."),
        (["xyzzy"], "probe: No such command 'xyzzy'. Try `probe --help`."),
        (["serve", "ttl"], "probe serve: No such command 'ttl'. Did you mean 'tts'? Try `probe serve --help`."),
        (["--nope"], "probe: No such option '--nope'. Try `probe --help`."),
        (["run", "--xyz"], "probe run: No such option '--xyz'. Try `probe run --help`."),
        (["run", "--voice"], "probe run: Option '--voice' requires an argument. Try `probe run --help`."),
        (["run", "here"], "probe run: Got unexpected extra argument (here). Try `probe run --help`."),
        (
            ["run", "--turns", "x"],
            "probe run: Invalid value for '--turns': 'x' is not a valid integer. Try `probe run --help`.",
        ),
        (
            ["serve", "llm", "--port"],
            "probe serve llm: Option '--port' requires an argument. Try `probe serve llm --help`.",
        ),
    ],
)
def test_bad_usage_is_one_line_that_says_where_help_is(arguments: list[str], line: str) -> None:
    assert refused(*arguments) == [line]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--llm-url", "ftp://x"], f"--llm-url: 'ftp://x' {EITHER}"),
        (["--tts-url", "spark:8001"], f"--tts-url: 'spark:8001' {ANY}"),
        (["--target", "x"], "--target: no target 'x' is configured; there is: local"),
        (["--scenario", "x"], "--scenario: no scenario 'x' is configured; there is: default"),
        (["--turns", "0"], "--turns: should be greater than or equal to 1 (got 0)"),
        (["--objective", "0"], "--objective: should be greater than 0 (got 0.0)"),
        (["--turns", "101"], "--turns: should be less than or equal to 100 (got 101)"),
        (["--prompt", ""], "--prompt: should not be empty (got '')"),
        (["--prompt", "\udcff"], r"--prompt: should be Unicode text (got '\udcff')"),
        (["--voice", ""], "--voice: should not be empty (got '')"),
        (["--language", ""], "--language: should not be empty (got '')"),
        (["--config", "/nowhere/probe.toml"], f"/nowhere/probe.toml: {NO_FILE}"),
        (["--config", "/"], "/: can't be read: Is a directory"),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_is_expected(plans: list[Plan], arguments: list[str], line: str) -> None:
    assert refused("run", *arguments) == [f"probe: {line}"]
    assert refused("run", "--json", *arguments) == [f"probe: {line}"]
    assert plans == []


def test_all_that_is_wrong_is_said_at_once(plans: list[Plan], tmp_path: Path) -> None:
    wav = tmp_path / "none" / "x.wav"
    assert refused(
        "run", "--llm-url", "x", "--tts-url", "y", "--turns", "0", "--prompt", "", "--voice", "",
        "--target", "t", "--scenario", "s", "--save-audio", str(wav),
    ) == [
        f"probe: --save-audio: {wav} can't be written: No such file or directory",
        "probe: --target: no target 't' is configured; there is: local",
        f"probe: --llm-url: 'x' {EITHER}",
        f"probe: --tts-url: 'y' {ANY}",
        "probe: --voice: should not be empty (got '')",
        "probe: --scenario: no scenario 's' is configured; there is: default",
        "probe: --prompt: should not be empty (got '')",
        "probe: --turns: should be greater than or equal to 1 (got 0)",
    ]  # fmt: skip
    assert plans == []


def test_a_bad_configuration_does_not_hide_bad_options(plans: list[Plan], tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text("[targets.spark]\nvoice = ''\nnope = 1")
    assert refused("run", "--config", str(path), "--target", "spark", "--turns", "0") == [
        f"probe: {path}:2: targets.spark.voice: should not be empty (got '')",
        f"probe: {path}:3: targets.spark.nope: unknown key",
        "probe: --turns: should be greater than or equal to 1 (got 0)",
    ]
    assert plans == []


def test_a_bad_value_in_the_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_TARGETS__LOCAL__OBJECTIVE_MS", "soon")
    assert refused("run") == ["probe: PROBE_TARGETS__LOCAL__OBJECTIVE_MS: should be a number (got 'soon')"]


def test_the_objective_is_that_of_the_option(plans: list[Plan]) -> None:
    assert probe("run", "--objective", "750").exit_code == 0
    assert probe("run").exit_code == 0
    assert [each.target.objective_ms for each in plans] == [750, 1000]


def test_options_outrank_the_configuration(plans: list[Plan], tmp_path: Path) -> None:
    path = tmp_path / "probe.toml"
    path.write_text(
        "[targets.a]\n[targets.b]\nvoice = 'leo'\nlanguage = 'de'\n[scenarios.s]\n[scenarios.t]\nuser_turns = ['x']"
    )
    chosen = ["--target", "b", "--scenario", "t", "--language", "fr", "--llm-url", "ws://h:1/ws"]
    assert probe("run", "--config", str(path), *chosen).exit_code == 0
    assert probe("run", "--config", str(path), "--prompt", "p", "--prompt", "q", "--turns", "3").exit_code == 0
    one, other = plans
    assert (one.target.name, one.target.option("tts", "voice"), one.target.option("tts", "language")) == (
        "b",
        "leo",
        "fr",
    )
    assert (one.target.servers["llm"].url, one.scenario.name, one.scenario.user_turns) == ("ws://h:1/ws", "t", ("x",))
    assert (other.target.name, other.scenario.name, other.scenario.user_turns) == ("a", "s", ("p", "q", "p"))


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (lambda folder: folder, "Is a directory"),
        (lambda folder: folder / "none" / "x.wav", "No such file or directory"),
        (lambda folder: folder / "file" / "x.wav", "Not a directory"),
    ],
)
def test_audio_that_could_not_be_saved_is_found_out_before_the_run(
    plans: list[Plan], tmp_path: Path, place: Callable[[Path], Path], reason: str
) -> None:
    (tmp_path / "file").touch()
    wav = place(tmp_path)
    assert refused("run", "--save-audio", str(wav)) == [f"probe: --save-audio: {wav} can't be written: {reason}"]
    assert plans == []


def test_a_folder_without_permission_is_found_out_too(
    plans: list[Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, mode: str) -> Any:
        raise PermissionError(13, "Permission denied", f"{path} {mode}")

    monkeypatch.setattr(Path, "open", denied)
    wav = tmp_path / "x.wav"
    assert refused("run", "--save-audio", str(wav)) == [
        f"probe: --save-audio: {wav} can't be written: Permission denied"
    ]
    assert plans == []


def test_looking_whether_audio_can_be_saved_changes_nothing(tmp_path: Path) -> None:
    there, new = tmp_path / "there.wav", tmp_path / "new.wav"
    there.write_bytes(b"kept")
    for path in (there, new):
        audio_file.check_writable(path)
    assert there.read_bytes() == b"kept" and not new.exists()


def test_the_audio_of_all_turns_is_saved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, second = (replace(OK.turns[0].chunks[0], pcm=pcm) for pcm in (b"\x01\x00" * 10, b"\x02\x00" * 5))
    executing(monkeypatch, replace(OK, turns=(turn(first), turn(second, num=2))))
    wav = tmp_path / "heard.wav"
    result = probe("run", "--json", "--save-audio", str(wav))
    assert result.exit_code == 0
    assert result.stderr == f"Audio saved to {wav} (30 bytes of PCM)\n"
    with wave.open(str(wav), "rb") as saved:
        assert saved.readframes(100) == b"\x01\x00" * 10 + b"\x02\x00" * 5


def test_a_daemon_without_a_configuration_says_how_to_have_one() -> None:
    (line,) = refused("daemon", "--config", "/nowhere/probe.toml")
    assert line.startswith("probe: /nowhere/probe.toml: there is no such file; `probe export example .` writes one")


def with_audio(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    spoken = replace(OK.turns[0].chunks[0], pcm=b"\x01\x00" * 10)
    return executing(monkeypatch, replace(OK, turns=(turn(spoken),)))


def test_a_dash_is_standard_output_and_the_report_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with_audio(monkeypatch)
    result = probe("run", "--save-audio", "-")
    assert result.exit_code == 0
    with wave.open(io.BytesIO(result.stdout_bytes), "rb") as saved:
        assert (saved.getframerate(), saved.readframes(100)) == (8000, b"\x01\x00" * 10)
    assert "OK: first byte within the objective" in result.stderr


def test_without_audio_standard_output_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    executing(monkeypatch, RECORDS["skipped"])
    result = probe("run", "--save-audio", "-")
    assert (result.exit_code, result.stdout_bytes) == (5, b"")
    assert result.stderr.endswith("No audio to save\n")


def test_a_terminal_gets_no_audio(plans: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.cli.live_run.sys", SimpleNamespace(stdout=SimpleNamespace(isatty=lambda: True)))
    (line,) = refused("run", "--save-audio", "-")
    assert line.startswith("probe: --save-audio -: standard output is a terminal; ")
    assert plans == []


def test_standard_output_is_one_document(plans: list[Plan]) -> None:
    (line,) = refused("run", "--save-audio", "-", "--json")
    assert "--save-audio - and --json exclude each other" in line
    assert plans == []


@pytest.mark.parametrize("name", ["joke.mp3", "joke.wav.gz", "joke.wave"])
def test_a_format_that_is_not_written_is_refused_before_the_run(plans: list[Plan], tmp_path: Path, name: str) -> None:
    wav = tmp_path / name
    assert refused("run", "--save-audio", str(wav)) == [f"probe: --save-audio: {wav}: no, .wav only"]
    assert plans == [] and not wav.exists()


@pytest.mark.parametrize("name", ["joke", "JOKE.WAV"])
def test_a_name_without_a_suffix_is_as_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    with_audio(monkeypatch)
    assert probe("run", "--save-audio", str(tmp_path / name)).exit_code == 0
    assert (tmp_path / name).read_bytes().startswith(b"RIFF")


def test_no_audio_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    executing(monkeypatch, RECORDS["skipped"])
    wav = tmp_path / "heard.wav"
    result = probe("run", "--save-audio", str(wav))
    assert result.exit_code == 5
    assert f"No audio to save to {wav}\n" in result.stderr
    assert not wav.exists()


def test_audio_that_can_no_longer_be_saved_is_a_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    spoken = replace(OK.turns[0].chunks[0], pcm=b"\x01\x00")
    executing(monkeypatch, replace(OK, turns=(turn(spoken),)))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(audio_file, "write_wav", full)
    wav = tmp_path / "heard.wav"
    result = probe("run", "--save-audio", str(wav))
    assert result.exit_code == 1
    assert result.stderr == f"probe run: {wav} could not be written: No space left on device\n"


@pytest.mark.parametrize("outcome", CODES)
def test_the_exit_code_says_how_the_run_ended(monkeypatch: pytest.MonkeyPatch, outcome: str) -> None:
    executing(monkeypatch, RECORDS[outcome])
    result = probe("run")
    assert result.exit_code == CODES[outcome]
    assert "VOICE PROBE" in result.stdout and outcome.upper() in result.stdout
    reason = {
        "failed": "probe run: failed (tts, timeout): nothing from the TTS server for 10 s\n",
        "skipped": "probe run: skipped: No slots available (max 1); try again when the server's users are done\n",
    }
    assert result.stderr == reason.get(outcome, "")


def test_a_failure_is_told_once_where_stdout_and_stderr_are_one_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    executing(monkeypatch, RECORDS["failed"])
    monkeypatch.setattr(os.path, "sameopenfile", lambda *_: True)
    monkeypatch.setattr("probe.cli.live_run.sys", SimpleNamespace(stdout=sys.__stdout__, stderr=sys.__stderr__))
    result = probe("run")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.count("nothing from the TTS server for 10 s") == 1
    assert probe("run", "--json").stderr.startswith("probe run: failed"), "a document is no report"


@pytest.mark.parametrize("outcome", CODES)
@pytest.mark.parametrize("verbose", [(), ("--verbose",)])
def test_json_is_one_document_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, outcome: str, verbose: tuple[str, ...]
) -> None:
    executing(monkeypatch, RECORDS[outcome])
    result = probe("run", "--json", *verbose)
    assert result.exit_code == CODES[outcome]
    document = json.loads(result.stdout)
    assert document["outcome"] == outcome
    assert result.stdout.endswith("}\n") and "\x1b" not in result.stdout
    assert (document["failure"] is not None) == (outcome == "failed")
    assert (document["skipped"] is not None) == (outcome == "skipped")
    assert isinstance(document["turns"], list) and isinstance(document["summary"], dict)


@pytest.mark.parametrize("charset", ["ascii", "latin-1"])
def test_a_terminal_that_knows_no_unicode_gets_what_it_can_show(plans: list[Plan], charset: str) -> None:
    result = probe("run", charset=charset)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "corns" in result.stdout
    document = CliRunner(charset=charset).invoke(main, ["run", "--json"]).stdout_bytes
    assert json.loads(document)["turns"][0]["text"] == "Sure, ünïcorns — 🦄!", "JSON is UTF-8 everywhere"
    assert len(plans) == 2


def test_colours_are_for_terminals_that_want_them(plans: list[Plan], monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_terminal, in_a_pipe = probe("run", color=True), probe("run")
    assert "\x1b[" in on_a_terminal.stdout
    assert "\x1b" not in in_a_pipe.stdout
    assert click.unstyle(on_a_terminal.stdout) == in_a_pipe.stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert probe("run", color=True).stdout == in_a_pipe.stdout
    monkeypatch.setenv("NO_COLOR", "")
    assert "\x1b[" in probe("run", color=True).stdout, "no-color.org: an empty value does not count"
    monkeypatch.setenv("TERM", "dumb")
    assert probe("run", color=True).stdout == in_a_pipe.stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert probe("run").stdout == on_a_terminal.stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert probe("run", color=True).stdout == in_a_pipe.stdout
    assert len(plans) == 7


def test_the_report_is_as_wide_as_the_terminal_and_no_wider_than_anyone_reads(
    plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    for columns, width in (("60", 60), ("80", 80), ("300", 110)):
        monkeypatch.setenv("COLUMNS", columns)
        assert max(map(len, probe("run").stdout.splitlines())) == width
    assert len(plans) == 3


def test_verbose_adds_every_timestamp(plans: list[Plan]) -> None:
    assert "TIMESTAMPS" not in probe("run").stdout
    assert "inference_start" in probe("run", "--verbose").stdout
    assert len(plans) == 2


async def test_an_interrupt_ends_the_run_and_a_second_one_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    now = [100.0]
    monkeypatch.setattr("probe.cli.interrupt.time", SimpleNamespace(monotonic=lambda: now[0]))
    stop = asyncio.Event()
    interrupt = Interrupt(stop, asyncio.get_running_loop())
    said: list[str] = []
    monkeypatch.setattr("probe.cli.interrupt.say", lambda line, **_: said.append(line))
    interrupt.before = lambda: said.append("the line is empty")
    interrupt()
    await stop.wait()
    assert left == []
    assert said == ["the line is empty", "Interrupted: releasing the server's slot. Ctrl-C again stops at once."]
    now[0] += 0.5
    interrupt()
    assert left == [], "make and its child both pass on one Ctrl-C"
    now[0] += 1.0
    interrupt()
    assert left == [130]


def test_an_interrupt_outside_of_a_run_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("probe.cli.live_run._execute", interrupted)
    result = probe("run", "--json")
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "\n")


def test_a_run_that_was_stopped_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    executing(monkeypatch, replace(OK, skipped=INTERRUPTED))
    result = probe("run")
    assert (result.exit_code, result.stderr) == (130, "probe run: interrupted\n")
    assert "INTERRUPTED: the run was stopped before its end\n" in result.stdout
    assert "SUMMARY" not in result.stdout and "FAILED" not in result.stdout


def test_help_lists_every_command_and_every_exit_code() -> None:
    listed = probe("--help").stdout
    assert all(f"  {name} " in listed for name in ("run", "demo", "serve"))
    described = probe("run", "--help").stdout
    assert all(f"  {code}  {outcome} " in described for outcome, code in (*CODES.items(), ("usage", 2)))
    assert "  130 " in described


@pytest.mark.parametrize("arguments", [[name] for name in COMMANDS] + [["serve", name] for name in SERVERS])
def test_help_fits_80_columns_its_examples_included(arguments: list[str]) -> None:
    text = probe(*arguments, "--help").stdout
    assert max(map(len, text.splitlines())) <= 80
    assert "\\b" not in text


@pytest.mark.parametrize("arguments", [[], ["serve"]])
def test_no_command_shows_the_help_and_is_bad_usage(arguments: list[str]) -> None:
    result = probe(*arguments)
    assert result.exit_code == 2
    assert "Commands:" in result.stdout


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["run", "--help"], ["serve", "--help"], ["rnu"]])
def test_what_measures_nothing_imports_nothing_heavy(arguments: list[str]) -> None:
    code = f"""
import sys
from probe.cli import COMMANDS, main
try:
    main({arguments!r})
finally:
    print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == (2 if arguments == ["rnu"] else 0)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_a_run_imports_what_its_servers_need_before_it_begins_and_nothing_else() -> None:
    code = "import sys; from probe.cli import live_run; live_run.planned(None, None); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "websockets" in loaded
    assert loaded.isdisjoint({"h11", "apscheduler", "opentelemetry", "prometheus_client", "sqlite3", "structlog"})


def test_a_reader_that_has_gone_is_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as nobody:  # noqa: PTH123 - a descriptor, not a path
        done = subprocess.run(
            [sys.executable, "-m", "probe", "--help"], stdout=nobody, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert (done.returncode, done.stderr) == (1, b"")
