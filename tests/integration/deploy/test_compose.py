"""The compose file against the specification of Compose, as Debian's docker-compose has it: no engine is needed."""

import json
from pathlib import Path

import pytest
import yaml
from debian import unpacked
from jsonschema import Draft7Validator  # type: ignore[import-untyped]

COMPOSE = Path(__file__).parents[3] / "deploy" / "compose.yaml"
SCHEMA = "usr/lib/python3/dist-packages/compose/config/compose_spec.json"


@pytest.fixture(scope="module")
def specification(request: pytest.FixtureRequest) -> Draft7Validator:
    if request.config.cache is None:
        pytest.skip("no cache to fetch docker-compose into")
    folder = unpacked(request.config.cache.mkdir("docker-compose"), "docker-compose")
    return Draft7Validator(json.loads((folder / SCHEMA).read_text("utf-8")))


def test_every_key_is_one_of_compose(specification: Draft7Validator) -> None:
    document = yaml.safe_load(COMPOSE.read_text("utf-8"))
    # Newer than that package.
    assert document.pop("name") == "voice-probe"
    assert [f"{each.json_path}: {each.message}" for each in specification.iter_errors(document)] == []
    # It would notice: a misspelt key, and a value of another type.
    document["services"]["probe"] |= {"profile": ["probe"], "tmpfs": {"/tmp": True}}  # noqa: S108 - in the container
    wrong = {each.json_path for each in specification.iter_errors(document)}
    assert wrong == {"$.services.probe", "$.services.probe.tmpfs"}
