"""The manifests: what kustomize makes of them is what Kubernetes' schemas allow, and as strict as it says."""

import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from debian import binaries
from released import ROOT, script

from probe import config

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("services", "node")
# The Prometheus Operator's, for which there is no schema here.
CUSTOM = ("PodMonitor", "PrometheusRule")
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture(scope="module")
def kubectl(request: pytest.FixtureRequest) -> Path:
    return binaries(request.config, "kubectl", "kubectl") / "kubectl"


@pytest.fixture(scope="module", params=OVERLAYS)
def resources(request: pytest.FixtureRequest, kubectl: Path) -> dict[str, list[dict[str, Any]]]:
    """What an overlay makes, by kind."""
    command = [str(kubectl), "kustomize", str(FOLDER / "overlays" / request.param)]
    made = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for each in yaml.safe_load_all(made):
        by_kind.setdefault(each["kind"], []).append(each)
    return by_kind


def workload(resources: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    (found,) = [each for kind in ("Deployment", "DaemonSet") for each in resources.get(kind, [])]
    return found


def pod(resources: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return dict(workload(resources)["spec"]["template"]["spec"])


def test_every_resource_is_what_its_schema_allows(resources: dict[str, list[dict[str, Any]]]) -> None:
    own = [each for kind, found in resources.items() if kind not in CUSTOM for each in found]
    assert len(own) >= 4
    for each in own:
        kubernetes_validate.validate(each, "1.30", strict=True)


def test_a_wrong_field_would_be_found(resources: dict[str, list[dict[str, Any]]]) -> None:
    wrong = {**workload(resources)}
    wrong["spec"] = {**wrong["spec"], "replica": 1}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.30", strict=True)


def test_all_are_in_one_namespace_with_restricted_pods(resources: dict[str, list[dict[str, Any]]]) -> None:
    (namespace,) = resources["Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    named = [
        each["metadata"].get("namespace") for kind, found in resources.items() for each in found if kind != "Namespace"
    ]
    assert set(named) == {namespace["metadata"]["name"]}
    spec = pod(resources)
    (container,) = spec["containers"]
    assert container["securityContext"] == RESTRICTED
    assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}


def test_it_may_use_what_the_systemd_unit_may(resources: dict[str, list[dict[str, Any]]]) -> None:
    unit = (ROOT / "deploy" / "systemd" / "voice-probe.service").read_text()
    (container,) = pod(resources)["containers"]
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "512Mi"}
    assert "CPUQuota=100%" in unit and "MemoryMax=512M" in unit


def test_the_configuration_is_good_and_what_is_mounted_is_there(
    resources: dict[str, list[dict[str, Any]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,) = resources["ConfigMap"]
    path = tmp_path / "probe.toml"
    path.write_text(settings["data"]["probe.toml"])
    spec = pod(resources)
    (container,) = spec["containers"]
    for each in container["env"]:
        if "value" in each and each["name"].startswith("PROBE_"):
            monkeypatch.setenv(each["name"], each["value"].replace("$(NODE_IP)", "192.0.2.1"))
    assert len(config.load(path).targets) == 1
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert {each["name"] for each in container["volumeMounts"]} == {*volumes}
    assert volumes["config"]["configMap"]["name"] == settings["metadata"]["name"]
    image = (ROOT / "deploy" / "Containerfile").read_text()
    (state,) = (each["mountPath"] for each in container["volumeMounts"] if each["name"] == "state")
    assert f"VOLUME {state}\n" in image and "EXPOSE 9850" in image


def test_selectors_find_the_pods(resources: dict[str, list[dict[str, Any]]]) -> None:
    labels = workload(resources)["spec"]["template"]["metadata"]["labels"]
    (policy,), (monitor,) = resources["NetworkPolicy"], resources["PodMonitor"]
    selectors = [policy["spec"]["podSelector"], monitor["spec"]["selector"], workload(resources)["spec"]["selector"]]
    selectors += [each["spec"]["selector"] for each in resources.get("PodDisruptionBudget", ())]
    for each in selectors:
        assert each["matchLabels"].items() <= labels.items()
    # The alerts know the probe by the name of its job, which comes from this label.
    assert labels[monitor["spec"]["jobLabel"]] == "voice-probe"
    ports = {each["name"] for each in pod(resources)["containers"][0]["ports"]}
    assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} == ports


@pytest.mark.parametrize("folder", ["prometheus", "fleet"])
def test_the_rules_are_those_of_one_source(folder: str) -> None:
    rules = script(FOLDER / "rules.py")
    (path,) = [path for path, source in rules.WRITTEN.items() if source == folder]
    written = path.read_text("utf-8")
    assert written == rules.resources(folder), "run `make kubernetes`"
    groups = [each["spec"]["groups"] for each in yaml.safe_load_all(written)]
    found = sorted((ROOT / "deploy" / folder).glob("voice_probe_*.yml"))
    assert groups == [yaml.safe_load(each.read_text("utf-8"))["groups"] for each in found]
    assert groups


def test_each_node_is_a_box_of_a_fleet(resources: dict[str, list[dict[str, Any]]]) -> None:
    """Its rules want these labels; the rules of one box add all nodes up."""
    (monitor,) = resources["PodMonitor"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    labels = {each["targetLabel"] for each in endpoint["relabelings"]}
    rules = {each["metadata"]["name"] for each in resources["PrometheusRule"]}
    many = "DaemonSet" in resources
    assert ({"box", "site"} <= labels, "voice-probe-fleet" in rules) == (many, many)
