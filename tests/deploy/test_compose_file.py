"""deploy/compose.yaml: what is public, what containers may do, and its secrets."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import load_config

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OWN = ("wxpass", "migrate", "retention")


def make_secrets(folder: Path) -> str:
    """Run make-secrets.sh for a folder and return its output."""
    command = ["sh", str(DEPLOY / "compose" / "make-secrets.sh"), str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_only_nginx_has_public_ports() -> None:
    public = {
        name: port
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
        if not port.startswith("127.0.0.1:")
    }
    assert set(public) == {"nginx"}


def test_only_the_service_and_published_ports_have_a_network_to_the_outside() -> None:
    outside = {name for name, one in COMPOSE["networks"].items() if not (one or {}).get("internal")}
    reaching = {name for name, one in SERVICES.items() if outside & set(one["networks"])}
    assert reaching == {"wxpass", "nginx", "grafana"}
    assert not {"public"} & set(SERVICES["wxpass"]["networks"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_a_read_only_root_and_no_privileges(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service["restart"] in ("unless-stopped", "no")
    if name not in ("migrate",):
        assert {"cpus", "memory"} == set(service["deploy"]["resources"]["limits"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_mounts_only_files_of_deploy_and_declared_secrets(name: str) -> None:
    service = SERVICES[name]
    assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    for volume in service.get("volumes", []):
        source = volume.split(":")[0]
        if source.startswith("./") and not source.startswith(("./prometheus", "./grafana")):
            assert (DEPLOY / source).exists(), source
            assert volume.endswith(":ro")


def test_no_secret_is_an_environment_variable() -> None:
    for service in SERVICES.values():
        for name in service.get("environment", {}):
            if name.startswith("RATE_LIMIT"):
                continue  # no password
            assert not name.endswith(("PASSWORD", "KEYS", "PEPPER", "KEY", "DATABASE_URL")), name


def test_the_service_starts_after_the_migration_which_uses_the_owner() -> None:
    for name in ("wxpass", "retention"):
        condition = SERVICES[name]["depends_on"]["migrate"]["condition"]
        assert condition == "service_completed_successfully"
    paths = {name: SERVICES[name]["environment"]["DATABASE_URL_FILE"] for name in OWN}
    assert paths["migrate"] == "/run/secrets/owner_database_url"
    assert paths["wxpass"] == paths["retention"] == "/run/secrets/database_url"
    assert "owner_database_url" not in SERVICES["wxpass"]["secrets"]


def test_generated_secrets_are_valid_settings_and_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"
    printed = make_secrets(folder)
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o777 == 0o700
    # The users of the containers read the files.
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}
    for value in made.values():
        assert value.strip() not in printed

    config = load_config(
        {
            "WXPASS_ENV": "production",
            "DATABASE_TLS": "trusted-network",
            "DATABASE_URL": made["database_url"],
            "WXPASS_KEYS": made["keys"],
            "WXPASS_PEPPER": made["pepper"],
            "JWT_PRIVATE_KEY": made["jwt_private_key"],
        }
    )
    assert config.production

    assert make_secrets(folder) == ""
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_scripts_can_be_executed() -> None:
    for path in (DEPLOY / "compose").glob("*.sh"):
        assert os.access(path, os.X_OK), path
