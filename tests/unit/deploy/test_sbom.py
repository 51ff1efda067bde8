"""The bill of materials and the list of licences: what is locked, with what each declares."""

import json
from pathlib import Path

import pytest
from released import ROOT, module

LOCK = """# by uv
click==8.5.1 \\
    --hash=sha256:00
not-installed-here==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:11
"""


def test_a_lock_has_names_and_versions() -> None:
    assert module("sbom").locked(LOCK) == [("click", "8.5.1"), ("not-installed-here", "1.0")]


def test_each_package_is_in_both_documents(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = tmp_path / "daemon.txt"
    lock.write_text(LOCK)
    module("sbom").main(lock, tmp_path / "dist")
    bill, licences = map(Path, capsys.readouterr().out.split())
    document = json.loads(bill.read_text())
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    assert [each["purl"] for each in document["components"]] == [
        "pkg:pypi/click@8.5.1", "pkg:pypi/not-installed-here@1.0",
    ]  # fmt: skip
    assert document["components"][0]["licenses"] == [{"license": {"name": "BSD-3-Clause"}}]
    assert "licenses" not in document["components"][1]
    refs = {each["bom-ref"] for each in document["components"]}
    assert set(document["dependencies"][0]["dependsOn"]) == refs
    assert licences.read_text() == "click 8.5.1: BSD-3-Clause\nnot-installed-here 1.0: not declared\n"


def test_the_lock_of_the_daemon_has_no_licence_that_would_bind_others() -> None:
    packages = module("sbom").locked((ROOT / "requirements" / "daemon.txt").read_text())
    assert len(packages) > 20
    said = {name: module("sbom").licence(name) for name, _ in packages}
    assert {name: each for name, each in said.items() if "GPL" in each or "General Public" in each} == {}
