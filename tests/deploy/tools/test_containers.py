"""hadolint, docker-compose and kubernetes-validate."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.deploy.test_compose_file import make_secrets
from tests.deploy.test_manifests import MANIFESTS
from tests.deploy.tools.programs import DEPLOY, run
from tests.fixtures.servers.debian_postgres import OWNER, SERVICE, new_debian_server
from tests.fixtures.servers.replication import PostgresProcess, server_folder

# The fields of ServiceMonitor that deploy/k8s may use. kubernetes-validate does not know them.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["apiVersion", "kind", "metadata", "spec"],
    "properties": {
        "apiVersion": {"const": "monitoring.coreos.com/v1"},
        "spec": {
            "type": "object",
            "required": ["selector", "endpoints"],
            "additionalProperties": False,
            "properties": {
                "jobLabel": {"type": "string"},
                "selector": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"matchLabels": {"type": "object"}},
                },
                "endpoints": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["port"],
                        "additionalProperties": False,
                        "properties": {
                            "port": {"type": "string"},
                            "path": {"type": "string", "pattern": "^/"},
                            "interval": {"type": "string", "pattern": "^[0-9]+[sm]$"},
                            "scrapeTimeout": {"type": "string", "pattern": "^[0-9]+s$"},
                        },
                    },
                },
            },
        },
    },
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of deploy/ with generated secrets."""
    folder = tmp_path / "deploy"
    shutil.copytree(DEPLOY, folder, ignore=shutil.ignore_patterns("secrets", "wheels"))
    for name in ("prometheus", "grafana/provisioning", "grafana/dashboards"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    make_secrets(folder / "compose" / "secrets")
    (folder / ".env").write_text("WXPASS_HOST=login.example.com\n")
    secrets = folder / "k8s" / "example" / "secrets"
    secrets.mkdir()
    for name in ("database-url", "owner-database-url", "keys", "pepper", "jwt-private-key.pem"):
        (secrets / name).write_text("secret")
    return folder


def test_hadolint_accepts_the_dockerfile() -> None:
    assert run("hadolint", "deploy/Dockerfile") == ""


def test_docker_compose_accepts_the_file(copy: Path) -> None:
    read = run("docker-compose", "--file", "compose.yaml", "config", cwd=copy)
    services = yaml.safe_load(read)["services"]
    assert services["grafana"]["profiles"] == ["monitoring"]
    assert services["retention"]["cap_drop"] == ["ALL"]


def test_docker_compose_requires_the_host_name(copy: Path) -> None:
    """Otherwise the console would answer under any host name."""
    (copy / ".env").unlink()
    refused = run("docker-compose", "--file", "compose.yaml", "config", cwd=copy, ok=False)
    assert "WXPASS_HOST" in refused


def test_docker_compose_rejects_an_unknown_key(copy: Path) -> None:
    file = copy / "compose.yaml"
    file.write_text(file.read_text().replace("    stop_grace_period:", "    stop_grace:", 1))
    run("docker-compose", "--file", "compose.yaml", "config", "--quiet", cwd=copy, ok=False)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_kubernetes_accepts_a_manifest(path: Path) -> None:
    for one in yaml.safe_load_all(path.read_text()):
        if one["kind"] == "ServiceMonitor":
            jsonschema.validate(one, SERVICE_MONITOR)
            return
    output = run("kubernetes-validate", "--strict", str(path))
    assert "WARN" not in output, output


def test_kubernetes_validate_rejects_an_unknown_field(tmp_path: Path) -> None:
    text = (DEPLOY / "k8s" / "base" / "service.yaml").read_text()
    (tmp_path / "wrong.yaml").write_text(text.replace("targetPort", "targetport"))
    run("kubernetes-validate", "--strict", str(tmp_path / "wrong.yaml"), ok=False)


@pytest.fixture
def rendered(copy: Path) -> list[dict[str, Any]]:
    """The objects of the example, as `kubectl apply -k` sends them."""
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed. Debian 12 has none that knows components.")
    text = run("kubectl", "kustomize", str(copy / "k8s" / "example"))
    (copy / "rendered.yaml").write_text(text)
    return list(yaml.safe_load_all(text))


def test_kustomize_builds_the_example(rendered: list[dict[str, Any]], copy: Path) -> None:
    output = run("kubernetes-validate", "--strict", str(copy / "rendered.yaml"))
    assert output.count(" passed ") == len(rendered) - 1
    text = json.dumps(rendered)
    assert '"image": "wxpass"' not in text
    assert '"name": "wxpass-settings"' not in text  # a hash follows, so changes start new pods
    policy = next(one for one in rendered if one["kind"] == "NetworkPolicy")
    selected = policy["spec"]["podSelector"]["matchLabels"].items()
    jobs = [one for one in rendered if one["kind"] in ("Deployment", "Job", "CronJob")]
    assert len(jobs) == 4
    for one in jobs:
        spec = one["spec"].get("jobTemplate", one)["spec"]
        assert selected <= spec["template"]["metadata"]["labels"].items(), one["metadata"]
        assert one["metadata"]["namespace"] == "wxpass"


@pytest.fixture
def postgres() -> Iterator[PostgresProcess]:
    """An empty PostgreSQL of Debian."""
    with server_folder() as folder:
        server = new_debian_server(folder, "compose")
        server.run("initdb", "-D", str(server.data), "-U", "postgres", "-A", "trust", "-N")
        server._configure()
        server.start()
        yield server
        server.remove()


def test_the_script_of_compose_creates_roles_with_the_generated_passwords(
    postgres: PostgresProcess, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    make_secrets(secrets)
    environ = {
        "PATH": f"{postgres.programs}:/usr/bin:/bin",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "ROLES_FILE": str(DEPLOY / "postgresql" / "roles.sql"),
        "SECRETS_FOLDER": str(secrets),
    }
    script = DEPLOY / "compose" / "create-database.sh"
    subprocess.run(["bash", str(script)], env=environ, check=True, timeout=60)
    hashes = dict(postgres("SELECT rolname, rolpassword FROM pg_authid WHERE rolcanlogin"))
    (postgres.data / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    postgres.run("pg_ctl", "-D", str(postgres.data), "reload")
    for role, name in ((OWNER, "owner_password"), (SERVICE, "service_password")):
        assert hashes[role].startswith("SCRAM-SHA-256$")
        password = (secrets / name).read_text()
        url = f"postgresql://{role}:{password}@127.0.0.1:{postgres.port}/wxpass"
        command = [str(postgres.programs / "psql"), "-Atqc", "SELECT current_user", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        assert done.stdout.strip() == role
