"""deploy/k8s: references between the manifests, and what pods may do."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
KUSTOMIZATIONS = sorted(K8S.glob("*/kustomization.yaml"))
MANIFESTS = sorted(path for path in K8S.glob("*/*.yaml") if path.name != "kustomization.yaml")
GRACEFUL_TIMEOUT, PRE_STOP = 30, 5


def objects() -> Iterator[dict[str, Any]]:
    """Yield the objects of all manifests."""
    for path in MANIFESTS:
        yield from yaml.safe_load_all(path.read_text())


def pods() -> Iterator[tuple[str, dict[str, Any], dict[str, str]]]:
    """Yield the name, the specification and the labels of each pod template."""
    for one in objects():
        spec = one.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield one["metadata"]["name"], template["spec"], template["metadata"]["labels"]


PODS = {name: (spec, labels) for name, spec, labels in pods()}


def named(kind: str, name: str = "wxpass") -> dict[str, Any]:
    """Return the object of a kind and name."""
    return next(one for one in objects() if (one["kind"], one["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_names_each_manifest_of_its_folder(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    listed = [*content["resources"], *content.get("components", [])]
    for name in listed:
        target = path.parent / name
        assert target.exists(), name
        assert not target.is_dir() or (target / "kustomization.yaml").exists()
    here = {manifest.name for manifest in MANIFESTS if manifest.parent == path.parent}
    assert here == {name for name in listed if not name.startswith("..")}


def test_the_overlay_contains_every_base_and_component() -> None:
    content = yaml.safe_load((K8S / "example" / "kustomization.yaml").read_text())
    listed = {*content["resources"], *content["components"]}
    folders = {path.parent.name for path in KUSTOMIZATIONS} - {"example"}
    assert folders == {name.removeprefix("../") for name in listed if name.startswith("..")}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_meets_the_restricted_profile_with_a_read_only_root(name: str) -> None:
    spec, _ = PODS[name]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    assert spec["automountServiceAccountToken"] is False
    for container in [*spec["containers"], *spec.get("initContainers", [])]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert {"cpu", "memory"} == set(container["resources"]["limits"])
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted <= {volume["name"] for volume in spec["volumes"]}


@pytest.mark.parametrize("name", PODS)
def test_secrets_are_files_and_each_path_is_a_key_of_the_generated_secret(name: str) -> None:
    spec, _ = PODS[name]
    base = yaml.safe_load((K8S / "base" / "kustomization.yaml").read_text())
    settings = dict(one.split("=", 1) for one in base["configMapGenerator"][0]["literals"])
    for container in spec["containers"]:
        assert container["envFrom"] == [{"configMapRef": {"name": "wxpass-settings"}}]
        settings |= {one["name"]: one["value"] for one in container.get("env", [])}
    overlay = yaml.safe_load((K8S / "example" / "kustomization.yaml").read_text())
    keys = {one.partition("=")[0] for one in overlay["secretGenerator"][0]["files"]}
    files = {value for setting, value in settings.items() if setting.endswith("_FILE")}
    assert {file.removeprefix("/run/secrets/wxpass/") for file in files} <= keys
    assert len(files) == 4
    assert "DATABASE_URL" not in settings


def test_probes_use_readyz_for_traffic_and_healthz_for_restarts() -> None:
    (container,) = PODS["wxpass"][0]["containers"]
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness")}
    assert {probe["path"] for probe in paths.values()} == {"/healthz"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_a_pod_has_more_time_to_end_than_its_requests() -> None:
    spec, _ = PODS["wxpass"]
    (container,) = spec["containers"]
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(PRE_STOP)]
    text = (K8S / "base" / "kustomization.yaml").read_text()
    assert f"GUNICORN_GRACEFUL_TIMEOUT={GRACEFUL_TIMEOUT}\n" in text
    assert spec["terminationGracePeriodSeconds"] >= GRACEFUL_TIMEOUT + PRE_STOP + 10


def test_selectors_match_the_pods_of_the_service_only() -> None:
    _, labels = PODS["wxpass"]
    selectors = [
        named("Service")["spec"]["selector"],
        named("Deployment")["spec"]["selector"]["matchLabels"],
        named("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        for name in PODS.keys() - {"wxpass"}:
            assert not selector.items() <= PODS[name][1].items()


def test_the_network_policy_admits_two_ports_and_three_kinds_of_calls() -> None:
    policy = named("NetworkPolicy")["spec"]
    admitted = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
    called = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert admitted == [8000, 9464]
    assert called == [53, 53, 5432, 443]
    assert all(rule["from"] for rule in policy["ingress"])
    assert all(rule["to"] for rule in policy["egress"])


def test_ports_of_service_ingress_and_monitor_exist() -> None:
    (container,) = PODS["wxpass"][0]["containers"]
    ports = {port["name"] for port in container["ports"]}
    service = {port["name"] for port in named("Service")["spec"]["ports"]}
    assert {port["targetPort"] for port in named("Service")["spec"]["ports"]} <= ports
    (rule,) = named("Ingress")["spec"]["rules"]
    assert rule["http"]["paths"][0]["backend"]["service"] == {
        "name": "wxpass",
        "port": {"name": "http"},
    }
    assert named("ServiceMonitor")["spec"]["endpoints"][0]["port"] in service
