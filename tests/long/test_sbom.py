"""The bill of materials against CycloneDX's own schema: reading that takes seconds."""

import json
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from released import ROOT, module


def test_the_bill_of_materials_is_valid(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module("sbom").main(ROOT / "requirements" / "daemon.txt", tmp_path)
    bill, _licences = map(Path, capsys.readouterr().out.split())
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(bill.read_text()) is None
    broken = json.loads(bill.read_text())
    broken["components"][0]["type"] = "thing"
    assert validator.validate_str(json.dumps(broken)) is not None
