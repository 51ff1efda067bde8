"""What `probe serve riva` says to bad input: one line, exit code 2."""

import socket

import pytest
from click.testing import CliRunner

from probe.cli import main


def complaint(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["serve", "riva", *arguments])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.parametrize("option", ["--port", "--http-port"])
def test_a_port_that_is_taken(option: str) -> None:
    ports = {"--port": "0", "--http-port": "0"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports[option] = str(taken.getsockname()[1])
        said = complaint(*(each for pair in ports.items() for each in pair))
    assert "can't listen on 127.0.0.1: Address already in use; choose another --host, --port or --http-port" in said


def test_a_voice_file_is_wanted() -> None:
    assert "--engine piper needs --piper-voice FILE.onnx" in complaint("--engine", "piper")
