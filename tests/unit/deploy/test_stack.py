"""deploy/compose.yaml and what it mounts: pinned, at home on loopback only, and without a password."""

import json
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from probe import config
from probe.record import Outcome

DEPLOY = Path(__file__).parents[3] / "deploy"
SERVICES: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
PINNED = re.compile(r"[a-z0-9-]+/[a-z0-9-]+:v?\d+\.\d+\.\d+")
LOOPBACK_PORT = re.compile(r"127\.0\.0\.1:(\d+):\1")
LISTENS = {
    "prometheus": "--web.listen-address=127.0.0.1:9090",
    "alertmanager": "--web.listen-address=127.0.0.1:9093",
    "grafana": "127.0.0.1",
    "probe": "127.0.0.1",
}


def read(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text("utf-8"))


def mounts() -> list[str]:
    volumes = [volume for service in SERVICES.values() for volume in service.get("volumes", [])]
    return [volume for volume in volumes if volume.startswith(".")]


@pytest.mark.parametrize("name", SERVICES)
def test_every_image_has_one_version(name: str) -> None:
    service = SERVICES[name]
    # The probe's own is built from this checkout, and has no other version.
    assert PINNED.fullmatch(service["image"]) or (name == "probe" and service["build"]["context"] == "..")


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_listens_beyond_loopback(name: str) -> None:
    service = SERVICES[name]
    if service.get("network_mode") == "host":
        assert LISTENS[name] in [*service.get("command", []), *service.get("environment", {}).values()]
        assert "ports" not in service
    else:
        assert service["ports"]
        assert all(LOOPBACK_PORT.fullmatch(port) for port in service["ports"])


@pytest.mark.parametrize("name", SERVICES)
def test_everyone_is_bounded_and_comes_back(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["cap_drop"] == ["ALL"]
    assert "healthcheck" in service or name == "collector"


def test_the_probe_is_started_only_where_it_is_asked_for_and_is_read_only() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" in service] == ["probe"]
    probe = SERVICES["probe"]
    assert probe["profiles"] == ["probe"] and probe["read_only"]
    assert (DEPLOY / ".." / probe["build"]["dockerfile"]).is_file()
    assert config.load(DEPLOY / "probe" / "probe.toml").otlp.url == "http://127.0.0.1:4318"


CONTAINERFILE = (DEPLOY / "Containerfile").read_text("utf-8")


def test_the_probe_in_the_stack_is_the_image_as_it_is_built() -> None:
    probe = SERVICES["probe"]
    (checked,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", CONTAINERFILE, re.MULTILINE)
    assert probe["healthcheck"]["test"] == ["CMD", *json.loads(checked)]
    volume, _, folder = probe["volumes"][1].partition(":")
    assert f"VOLUME {folder}\n" in CONTAINERFILE
    declared = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["volumes"]
    assert volume in declared
    # SIGTERM to exit takes the daemon less than ten seconds.
    assert probe["stop_grace_period"] == "15s"


def test_the_image_is_made_of_what_is_locked_and_runs_as_nobody() -> None:
    installed = re.findall(r"pip (?:--python \S+ )?install (.+?) -r", CONTAINERFILE.replace("\\\n", ""))
    assert [" ".join(each.split()) for each in installed] == 3 * ["--require-hashes --no-deps --only-binary :all:"]
    # For one command of the demo's stage it is root.
    assert re.findall(r"^USER (\S+)$", CONTAINERFILE, re.MULTILINE) == ["65532:65532", "root", "65532:65532"]


def test_the_daemon_alone_is_built_if_no_stage_is_named() -> None:
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", CONTAINERFILE, re.MULTILINE)
    base = "${BASE}"
    assert stages == [(base, "build"), ("build", "engines"), (base, "daemon"), ("daemon", "demo"), ("daemon", "")]
    # A builder that makes every stage makes those of the demo too, unless a target is named.
    assert SERVICES["probe"]["build"]["target"] == "daemon"


def test_what_the_image_is_made_of_is_not_ignored() -> None:
    ignored = (DEPLOY.parent / ".containerignore").read_text("utf-8").splitlines()
    assert ignored == (DEPLOY.parent / ".dockerignore").read_text("utf-8").splitlines()
    kept = [line[1:] for line in ignored if line.startswith("!")]
    for each in kept:
        assert (DEPLOY.parent / each).exists()
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)
    sources = [source for line in copied for source in line.split() if source != "."]
    assert [source for source in sources if not any(source.startswith(each) for each in kept)] == []
    # The pages that are installed are links to documents.
    links = [path.resolve() for path in (DEPLOY.parent / "src").rglob("*") if path.is_symlink()]
    assert {str(each.relative_to(DEPLOY.parent.resolve())) for each in links} <= {*kept}


def test_the_password_is_the_operators() -> None:
    secret = re.compile(r"password|secret|token", re.IGNORECASE)
    given = {
        name: value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if secret.search(name)
    }
    assert [*given] == ["GF_SECURITY_ADMIN_PASSWORD"]
    assert given["GF_SECURITY_ADMIN_PASSWORD"].startswith("${GRAFANA_ADMIN_PASSWORD:?")
    assert "\nGRAFANA_ADMIN_PASSWORD=\n" in (DEPLOY / ".env.example").read_text("utf-8")


@pytest.mark.parametrize("mount", mounts())
def test_what_is_mounted_is_in_the_repository_and_read_only(mount: str) -> None:
    source, _, mode = mount.split(":")
    assert (DEPLOY / source).is_dir()
    assert mode == "ro"


@pytest.mark.parametrize("name", ["prometheus", "alertmanager", "tempo", "collector"])
def test_the_configuration_that_is_named_is_mounted(name: str) -> None:
    service = SERVICES[name]
    flag = next(flag for flag in service["command"] if re.match("-?-config", flag))
    named = Path(flag.partition("=")[2])
    source = next(volume.split(":")[0] for volume in service["volumes"] if volume.split(":")[1] == str(named.parent))
    assert (DEPLOY / source / named.name).is_file()


def test_spans_go_from_the_probe_to_tempo_and_nowhere_else() -> None:
    collector, tempo = read("otelcol/otelcol.yaml"), read("tempo/tempo.yaml")
    pipelines = collector["service"]["pipelines"]
    assert {name: pipeline["exporters"] for name, pipeline in pipelines.items()} == {"traces": ["otlp_grpc"]}
    parts = [part for pipeline in pipelines.values() for kind in pipeline.values() for part in kind]
    assert set(parts) == {*collector["receivers"], *collector["processors"], *collector["exporters"]}
    host, _, port = collector["exporters"]["otlp_grpc"]["endpoint"].partition(":")
    assert host in SERVICES
    assert tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].endswith(f":{port}")


def test_the_collector_of_a_fleet_keeps_what_was_not_good() -> None:
    collector = read("fleet/otelcol.yaml")
    pipelines = collector["service"]["pipelines"]
    assert set(pipelines) == {"traces", "metrics"}
    parts = [part for pipeline in pipelines.values() for kind in pipeline.values() for part in kind]
    assert set(parts) == {*collector["receivers"], *collector["processors"], *collector["exporters"]}
    policies = collector["processors"]["tail_sampling"]["policies"]
    kept = next(each["string_attribute"] for each in policies if each["type"] == "string_attribute")
    assert kept["key"] in (DEPLOY / "../docs/telemetry.md").read_text("utf-8")
    assert set(kept["values"]) == set(get_args(Outcome)) - {"ok", "skipped"}


def test_grafana_finds_dashboards_and_servers_where_they_are() -> None:
    volumes = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    provisioning = DEPLOY / "../grafana/provisioning"
    providers = [
        each
        for file in provisioning.glob("dashboards/*.y*ml")
        for each in yaml.safe_load(file.read_text())["providers"]
    ]
    assert {each["options"]["path"] for each in providers} == {volumes["../grafana/dashboards"]}
    sources = [
        each
        for file in provisioning.glob("datasources/*.y*ml")
        for each in yaml.safe_load(file.read_text())["datasources"]
    ]
    assert {each["type"]: each["url"] for each in sources} == {
        "prometheus": "http://127.0.0.1:9090",
        "tempo": "http://127.0.0.1:3200",
    }
