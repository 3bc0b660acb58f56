"""The npm packages of `make bench-peers`: exact versions, and no address to download from."""

import json
import re
from pathlib import Path
from typing import Any

NODE = Path(__file__).parents[1] / "bench" / "peers" / "node"
VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?")


def read(name: str) -> dict[str, Any]:
    """Return a JSON file in the folder of the Node.js servers."""
    return dict(json.loads((NODE / name).read_text()))


def locked_packages() -> dict[str, dict[str, Any]]:
    """Return the packages in package-lock.json by path."""
    packages = read("package-lock.json")["packages"]
    return {path: package for path, package in packages.items() if path}


def test_package_json_names_exact_versions_that_the_lock_file_contains() -> None:
    chosen, locked = read("package.json")["dependencies"], locked_packages()
    for name, version in chosen.items():
        assert VERSION.fullmatch(version), name
        assert locked[f"node_modules/{name}"]["version"] == version
    assert read("package-lock.json")["packages"][""]["dependencies"] == chosen


def test_the_lock_file_names_an_exact_version_and_a_hash_for_every_package() -> None:
    for path, package in locked_packages().items():
        assert VERSION.fullmatch(package["version"]), path
        assert re.fullmatch(r"sha(512|1)-\S+", package["integrity"]), path


def test_the_lock_file_contains_no_url_except_those_of_funding() -> None:
    """`.npmrc` makes npm omit the URLs. `npm ci` uses the registry of the developer's settings."""
    packages = [
        {name: value for name, value in package.items() if name != "funding"}
        for package in locked_packages().values()
    ]
    assert "://" not in json.dumps(packages)
    assert all("resolved" not in package for package in packages)
    assert "://" not in (NODE / "package.json").read_text() + (NODE / ".npmrc").read_text()
