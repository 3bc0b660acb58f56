"""Version, changelog, requirements, `.env.example`, hooks, CI stages and `make audit`."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import Result
from flask import Flask

from app.version import VERSION
from config import Config, load_config
from tests.guards.test_reference_docs import variables_read

ROOT = Path(__file__).parents[2]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
CHANGES = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
RELEASE = re.compile(
    r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d{2}-\d{2}\n\nRelease commit: `(\w{7,40})`$"
)
SETTING = re.compile(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", re.MULTILINE)
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)(?: ; [^\\]+)? \\$")
RUN = (ROOT / ".ci" / "run").read_text()
BUDGET = re.compile(r"^  \[(\w+)\]=(\d+)$", re.MULTILINE)
STAGE = re.compile(r"^stage (\w+) .+$", re.MULTILINE)
# Stubs of the programs that `.ci/run` starts. The target of `make` decides whether it succeeds,
# fails or takes too long.
STUBS = {
    "make": '#!/bin/sh\ncase "$1" in slow) sleep 30;; failing) exit 7;; esac\n',
    **dict.fromkeys(("nginx", "chromium", "go", "apt-get"), "#!/bin/sh\n"),
    "fc-list": "#!/bin/sh\necho font\n",
}


def numbers(version: str) -> tuple[int, ...]:
    """Return the major, minor and patch number of a version."""
    return tuple(int(number) for number in version.partition("-")[0].split("."))


def test_version_is_semantic_and_not_lower_than_the_last_release() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+(-dev)?", VERSION)
    last = re.findall(r"^## \[(\d\S+)\]", CHANGELOG, re.MULTILINE)[0]
    assert last == VERSION or (VERSION.endswith("-dev") and numbers(VERSION) > numbers(last))


def test_version_command_prints_the_version(app: Flask) -> None:
    result: Result = app.test_cli_runner().invoke(args=["version"])
    assert (result.exit_code, result.output) == (0, f"{VERSION}\n")


def test_console_footer_shows_the_version(app: Flask) -> None:
    page = app.test_client().get("/console/sign-in").text
    assert f"wxpass {VERSION}</p>" in page


def test_changelog_follows_keep_a_changelog_with_newest_version_first() -> None:
    versions = re.split(r"^(?=## )", CHANGELOG, flags=re.MULTILINE)[1:]
    assert versions[0].startswith("## [Unreleased]\n")
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= CHANGES
    released = [numbers(version.split("]")[0].removeprefix("## [")) for version in versions[1:]]
    assert released == sorted(set(released), reverse=True)


def test_changelog_lists_date_and_commit_of_every_release() -> None:
    """The commit of the newest release is added to the changelog with the next change."""
    releases = re.split(r"^(?=## \[\d)", CHANGELOG, flags=re.MULTILINE)[1:]
    if releases[0].split("]")[0].removeprefix("## [") == VERSION:
        releases = releases[1:]
    for release in releases:
        assert RELEASE.match("\n".join(release.splitlines()[:3])), release.splitlines()[0]


def test_release_commits_in_the_changelog_are_ancestors_of_head() -> None:
    """Not checked in a shallow clone, which lacks the commits."""
    shallow = ask_git("rev-parse", "--is-shallow-repository")
    if shallow.stdout.strip() == "false":
        for commit in re.findall(r"^Release commit: `(\w+)`$", CHANGELOG, re.MULTILINE):
            assert ask_git("merge-base", "--is-ancestor", commit, "HEAD").returncode == 0, commit


def ask_git(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git in the root of the repository."""
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def listed_packages(name: str) -> set[str]:
    """Return the names of the packages in requirements.in or requirements-dev.in."""
    text = (ROOT / f"{name}.in").read_text()
    return set(re.findall(r"^[a-z][a-z0-9-]*", text, re.MULTILINE))


@pytest.mark.parametrize(
    "name", ["requirements", "requirements-dev", "requirements-docs", "requirements-tracing"]
)
def test_requirements_have_exact_versions_and_hashes_and_no_url(name: str) -> None:
    text = (ROOT / f"{name}.txt").read_text()
    assert not re.search(r"://|^-|/", text.replace("-r requirements", ""), re.MULTILINE)
    pins = [block for block in re.split(r"^(?=\w)", text, flags=re.MULTILINE) if block[0] != "#"]
    pinned = set()
    for pin in pins:
        match = PIN.match(pin.splitlines()[0])
        assert match, pin.splitlines()[0]
        assert "--hash=sha256:" in pin
        pinned.add(match[1])
    assert listed_packages(name) <= pinned


@pytest.mark.parametrize(
    "name", ["requirements", "requirements-dev", "requirements-docs", "requirements-tracing"]
)
def test_pinned_requirements_match_the_in_file(name: str) -> None:
    """If this test fails, run `make lock`."""
    pins = re.split(r"^(?=\w)", (ROOT / f"{name}.txt").read_text(), flags=re.MULTILINE)
    assert {pin.split("==")[0] for pin in pins if f"-r {name}.in\n" in pin} == listed_packages(name)


def test_both_requirements_files_pin_the_same_versions() -> None:
    pins = [
        dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    assert all(pins[0][name] == pins[1][name] for name in pins[0].keys() & pins[1].keys())


def settings_of_example() -> dict[str, str]:
    """Return the values of the settings in `.env.example`, also of those commented out."""
    return dict(SETTING.findall((ROOT / ".env.example").read_text()))


def test_env_example_lists_exactly_the_settings_that_config_reads() -> None:
    known = {name for name in variables_read() if re.fullmatch(r"[A-Z][A-Z0-9_]+", name)}
    assert set(settings_of_example()) == known


def test_values_in_env_example_are_the_defaults(config: Config) -> None:
    """Secrets and the database URL have no default."""
    secrets = {
        "DATABASE_URL": config.database_url,
        "WXPASS_KEYS": "k1:" + "A" * 43 + "=",
        "WXPASS_PEPPER": "p" * 32,
        "JWT_PRIVATE_KEY": config.jwt_private_key,
    }
    assert load_config(settings_of_example() | secrets) == load_config(secrets)


def test_pre_commit_hooks_run_commands_of_the_makefile() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    makefile = (ROOT / "Makefile").read_text().replace("$(BIN)", ".venv/bin")
    for hook in hooks:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in makefile


def test_every_ci_stage_has_a_budget_and_the_run_ends_within_45_minutes(tmp_path: Path) -> None:
    budgets = {name: int(seconds) for name, seconds in BUDGET.findall(RUN)}
    assert list(budgets) == STAGE.findall(RUN)
    (total,) = re.findall(r"^TOTAL=(\d+)$", RUN, re.MULTILINE)
    assert int(total) + 5 < 45 * 60
    late = tmp_path / "late/run"
    late.parent.mkdir()
    stages = RUN.partition("# Install what tests")[0]
    late.write_text(f"{stages}SECONDS=$((TOTAL - 1)); stage check sleep 9\n")
    ended = subprocess.run(["bash", late], capture_output=True, text=True)
    assert ended.returncode != 0
    assert "exceeded its budget of 1 s" in ended.stderr
    commands = RUN.partition("export -f install_packages\n")[2].split("\n")
    assert all(STAGE.fullmatch(line) for line in commands if line)


@pytest.mark.parametrize(
    ("target", "status", "printed"),
    [
        ("quick", 0, r"Stage check: \d s of 3 s\n"),
        ("failing", 7, r"Stage openapi: \d s of 3 s\n"),
        ("slow", 124, r"Stage openapi exceeded its budget of 3 s\n"),
    ],
)
@pytest.mark.slow
def test_a_ci_stage_prints_its_duration_and_fails_if_it_exceeds_its_time_budget(
    tmp_path: Path, target: str, status: int, printed: str
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in STUBS.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / ".ci").mkdir()
    script = BUDGET.sub(r"  [\1]=3", RUN).replace("make test-openapi", f"make {target}")
    (tmp_path / ".ci" / "run").write_text(script)

    result = subprocess.run(
        [shutil.which("bash") or "bash", ".ci/run"],
        cwd=tmp_path,
        env={"PATH": f"{programs}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == status
    assert re.search(printed, result.stdout + result.stderr)
    assert ("Stage check" in result.stdout) == (status == 0)


@pytest.mark.parametrize(
    ("stderr", "status", "printed"),
    [
        ("No known vulnerabilities found", 0, "No known vulnerabilities found"),
        ("Found 2 known vulnerabilities in 1 package", 1, "Found 2 known vulnerabilities"),
        ("requests.exceptions.ConnectionError: no route", 1, "NOT AUDITED: offline"),
        ("", 0, "NOT AUDITED: offline"),
    ],
)
def test_make_audit_fails_if_a_package_is_vulnerable_or_could_not_be_looked_up(
    tmp_path: Path, stderr: str, status: int, printed: str
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    programs = tmp_path / "var" / "tools" / "bin"
    programs.mkdir(parents=True)
    (programs.parent / ".installed").touch()
    (programs / "pip-audit").write_text(f"#!/bin/sh\necho '{stderr}' >&2\nexit {status}\n")
    (programs / "pip-audit").chmod(0o755)

    result = subprocess.run(
        ["make", "audit"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (result.returncode == 0) == stderr.startswith("No known")
    assert printed in result.stdout
