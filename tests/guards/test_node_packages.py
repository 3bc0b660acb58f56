"""The npm packages of benchmark, clients and examples: exact versions, no download address."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [
    *("tests/bench/peers/node", "clients/miniprogram", "clients/examples", "clients/demo"),
    *("clients/explorer", "clients/console"),
    "examples/node",
]
# The examples with a bundler of their own have no lock file.
UNLOCKED = ["clients/examples/native", "clients/examples/taro", "clients/examples/uni-app"]
VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
OUR_OWN = {"@wxpass/miniprogram": "file:../../miniprogram"}

locked = pytest.mark.parametrize("folder", FOLDERS)


def read(folder: str, name: str) -> dict[str, Any]:
    """Return a JSON file of a folder."""
    return dict(json.loads((ROOT / folder / name).read_text()))


def chosen_versions(package: dict[str, Any]) -> dict[str, str]:
    """Return the versions of the dependencies that a package.json or its lock entry names."""
    return {**package.get("dependencies", {}), **package.get("devDependencies", {})}


def locked_packages(folder: str) -> dict[str, dict[str, Any]]:
    """Return the packages in package-lock.json by path."""
    packages = read(folder, "package-lock.json")["packages"]
    return {path: package for path, package in packages.items() if path}


def test_every_folder_with_a_package_json_is_checked() -> None:
    found = {
        str(path.parent.relative_to(ROOT))
        for top in ("clients", "examples", "tests")
        for path in (ROOT / top).rglob("package.json")
        if "node_modules" not in path.parts
    }
    assert found == {*FOLDERS, *UNLOCKED}


@locked
def test_package_json_names_exact_versions_that_the_lock_file_contains(folder: str) -> None:
    chosen, packages = chosen_versions(read(folder, "package.json")), locked_packages(folder)
    assert chosen
    for name, version in chosen.items():
        assert VERSION.fullmatch(version), name
        assert packages[f"node_modules/{name}"]["version"] == version
    assert chosen_versions(read(folder, "package-lock.json")["packages"][""]) == chosen


@locked
def test_the_lock_file_names_an_exact_version_and_a_hash_for_every_package(folder: str) -> None:
    for path, package in locked_packages(folder).items():
        assert VERSION.fullmatch(package["version"]), path
        assert re.fullmatch(r"sha(512|1)-\S+", package["integrity"]), path


@locked
def test_the_lock_file_contains_no_url_except_those_of_funding(folder: str) -> None:
    """`.npmrc` makes npm omit the URLs. `npm ci` uses the registry of the developer's settings."""
    packages = [
        {name: value for name, value in package.items() if name != "funding"}
        for package in locked_packages(folder).values()
    ]
    assert "://" not in json.dumps(packages)
    assert all("resolved" not in package for package in packages)
    assert "omit-lockfile-registry-resolved=true" in (ROOT / folder / ".npmrc").read_text()


@pytest.mark.parametrize("folder", FOLDERS + UNLOCKED)
def test_package_json_and_npmrc_contain_no_url(folder: str) -> None:
    assert "://" not in (ROOT / folder / "package.json").read_text()
    assert "://" not in (ROOT / folder / ".npmrc").read_text()


@pytest.mark.parametrize("folder", UNLOCKED)
def test_an_example_names_exact_versions_and_the_package_of_this_repository(folder: str) -> None:
    chosen = chosen_versions(read(folder, "package.json"))
    assert chosen.items() >= OUR_OWN.items()
    for name in chosen.keys() - OUR_OWN.keys():
        assert VERSION.fullmatch(chosen[name]), name
    assert "package-lock=false" in (ROOT / folder / ".npmrc").read_text()


def test_the_client_package_needs_no_other_package() -> None:
    package = read("clients/miniprogram", "package.json")
    assert {"dependencies", "peerDependencies", "optionalDependencies"}.isdisjoint(package)
