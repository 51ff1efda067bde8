"""What a locked set consists of, as a CycloneDX document and a list of licences: `python sbom.py LOCK FOLDER`.

Licences are those that the packages declare, so they have to be installed in the environment that runs this; a package
that is not (of another platform) is in both with its version, and no licence. Needs no network.
"""

import json
import re
import sys
import tomllib
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
_CLASSIFIER = "License :: OSI Approved :: "
UNKNOWN = "not declared"


def locked(text: str) -> list[tuple[str, str]]:
    """Names and versions of a lock."""
    return [(found[1].lower(), found[2]) for line in text.splitlines() if (found := _PIN.match(line))]


def licence(name: str) -> str:
    """The licence that an installed package declares: an SPDX expression, or its own words in short."""
    try:
        found = metadata(name)
    except PackageNotFoundError:
        return UNKNOWN
    classified = [each.removeprefix(_CLASSIFIER) for each in found.get_all("Classifier", ()) if _CLASSIFIER in each]
    return _stated(found, "License-Expression") or " and ".join(classified) or _stated(found, "License") or UNKNOWN


def _stated(found: PackageMetadata, field: str) -> str:
    """One line of a field; a whole text of a licence is no name of it."""
    return next(iter(str(found.get(field) or "").strip().splitlines()), "")[:80]


def document(project: dict[str, Any], packages: list[tuple[str, str]]) -> dict[str, Any]:
    """A CycloneDX document of a project and its packages. Without a time: the same set is the same text."""
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "voice-probe",
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"expression": project["license"]}],
            }
        },
        "components": [_component(name, version) for name, version in packages],
        "dependencies": [{"ref": "voice-probe", "dependsOn": [_purl(*each) for each in packages]}],
    }


def _component(name: str, version: str) -> dict[str, Any]:
    said = licence(name)
    licences = {} if said == UNKNOWN else {"licenses": [{"license": {"name": said}}]}
    return {"type": "library", "bom-ref": _purl(name, version), "name": name, "version": version} | licences | {
        "purl": _purl(name, version)
    }  # fmt: skip


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{name.replace('_', '-')}@{version}"


def main(lock: Path, folder: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = locked(lock.read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{project['name']}-{project['version']}-{lock.stem}"
    bill, licences = folder / f"{stem}.cdx.json", folder / f"{stem}-licences.txt"
    bill.write_text(json.dumps(document(project, packages), indent=2) + "\n", "utf-8")
    licences.write_text("".join(f"{name} {version}: {licence(name)}\n" for name, version in packages), "utf-8")
    print(bill, licences, sep="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
