"""What the daemon is configured with: schedules, secrets, and everything that is wrong at once."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe import config
from probe.cli.check_config import check_config
from probe.config.errors import dotted

BAD = """
colour = "blue"
[targets.spark]
llm_url = "ftp://spark:8002/ws"
sample_rate = 1
[schedules.one]
target = "spank"
every_s = 10
phase_s = 20
[schedules.two]
cron = "61 * * * *"
[schedules.three]
scenario = "default"
[http]
port = 99999
[otlp]
headers = { authorization = 12345 }
"""
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "probe.toml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def problems(path: Path | None) -> dict[str, str]:
    with pytest.raises(config.ConfigError) as caught:
        config.load(path)
    return {dotted(problem.key): str(problem) for problem in caught.value.problems}


def test_every_error_is_told_at_once(write: Write) -> None:
    found = problems(write(BAD))
    assert set(found) == {
        "colour", "targets.spark.llm_url", "targets.spark.sample_rate", "schedules.one", "schedules.one.target",
        "schedules.two.cron", "schedules.three", "http.port", "otlp.headers.authorization",
    }  # fmt: skip
    assert "one of: spark" in found["schedules.one.target"]
    assert "(got 99999)" in found["http.port"]
    assert "12345" not in found["otlp.headers.authorization"]


def test_check_config_tells_key_value_and_what_is_allowed(write: Write) -> None:
    path = write(BAD)
    result = CliRunner().invoke(check_config, [str(path), "--json"])
    document = json.loads(result.stdout)
    errors = {error["key"]: error for error in document["errors"]}
    assert (result.exit_code, document["valid"], len(errors)) == (2, False, 9)
    assert errors["http.port"] == {
        "key": "http.port", "value": 99999, "allowed": "should be less than or equal to 65535"
    }  # fmt: skip
    assert errors["schedules.one.target"]["value"] == "spank"
    text = CliRunner().invoke(check_config, [str(path)])
    assert text.exit_code == 2
    assert all(key in text.stderr for key in errors)


def test_check_config_of_a_good_file(write: Write) -> None:
    result = CliRunner().invoke(check_config, [str(write("[targets.spark]")), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["targets"] == ["spark"]


def test_environment_outranks_secret_files_outrank_the_file(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write('[otlp]\ntimeout_s = 1\nheaders = { a = "file", b = "file", c = "file" }')
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "PROBE_OTLP__HEADERS__B").write_text("secret\n")
    (secrets / "PROBE_OTLP__HEADERS__C").write_text("secret\n")
    (secrets / "tls.key").write_bytes(b"\xff\xfe")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secrets))
    monkeypatch.setenv("PROBE_OTLP__HEADERS__C", "environment")
    otlp = config.load(path).otlp
    assert otlp.plain_headers() == {"a": "file", "b": "secret", "c": "environment"}
    assert otlp.timeout_s == 1
    assert "secret" not in repr(otlp)


def test_a_token_of_two_lines_is_wrong_where_it_is_read(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be refused at each export, by a library that quotes it."""
    token = tmp_path / "PROBE_OTLP__HEADERS__AUTHORIZATION"
    token.write_text("Bearer SEKRET-1\nBearer SEKRET-2\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(config.ConfigError) as caught:
        config.load(write("[otlp]\ntimeout_s = 1"))
    assert str(caught.value) == f"{token}: should be printable ASCII, on one line"


def test_misspelt_variables_are_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_DAEMN__STATE_DIR", "x")
    monkeypatch.setenv("PROBE_HTTP__PROT", "1")
    assert set(problems(None)) == {"PROBE_DAEMN__STATE_DIR", "http.prot"}


def test_a_file_that_can_not_be_read_is_an_error_in_json_too(tmp_path: Path) -> None:
    result = CliRunner().invoke(check_config, [str(tmp_path / "none.toml"), "--json"])
    assert (result.exit_code, len(json.loads(result.stdout)["errors"])) == (2, 1)


@pytest.mark.parametrize(
    "cron", ["0 6 * * 1-5", "0 6 * * 0,7", "*/5 * * * */2", "0 9 * * SUN-THU", "0 9 * JAN-MAR MON"]
)
def test_a_cron_expression_stays_as_it_is_written(cron: str) -> None:
    assert config.ScheduleConfig.of(cron=cron).cron == cron


@pytest.mark.parametrize("cron", ["* * * *", "0 0 30 2 *", "60 * * * *", "@daily", "0 0 * * mars"])
def test_a_cron_that_never_comes(write: Write, cron: str) -> None:
    assert (
        "expected MINUTE HOUR DAY MONTH WEEKDAY"
        in problems(write(f'[schedules.x]\ncron = "{cron}"'))["schedules.x.cron"]
    )


def test_interval_and_cron_exclude_each_other(write: Write) -> None:
    assert set(problems(write('[schedules.x]\ncron = "* * * * *"\nevery_s = 60'))) == {"schedules.x"}


@pytest.mark.parametrize("protocol", ["http", "grpc", "none"])
def test_spans_go_where_a_collector_is_configured_and_nowhere_else(write: Write, protocol: str) -> None:
    unset = f'[otlp]\nprotocol = "{protocol}"\n'
    assert config.load(write(unset)).otlp.url is None
    there = config.load(write(unset + 'endpoint = "http://spark:4318"')).otlp.url
    assert there == (None if protocol == "none" else "http://spark:4318")
