"""The demo phone: current assets, links to existing sections, and a test for every scene."""

import hashlib
import re
from pathlib import Path

import pytest

from tests.guards.test_docs import anchors_of

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "clients" / "demo" / "src"
STATIC = ROOT / "app" / "simulator" / "demo" / "static"
CLIENT = ROOT / "clients" / "miniprogram" / "dist" / "index.mjs"
LINK = re.compile(r'"((?:concepts|integrate|console|operations|protect-your-api)#[a-z-]+)"')
SCENE = re.compile(r'^  id: "([a-z-]+)",$', re.MULTILINE)
EXTERNAL = re.compile(r"(?:src|href|url\(|import)\s*[=(]?\s*[\"']?(?:https?:)?//")


def test_the_built_script_was_compiled_from_the_current_sources() -> None:
    """If this test fails, run `npm ci && npm run build` in clients/demo."""
    digest = hashlib.sha256()
    names = sorted(str(path.relative_to(SOURCES)) for path in SOURCES.rglob("*.ts"))
    for name in names:
        digest.update(f"{name}\n{(SOURCES / name).read_text()}\n".encode())
    digest.update(CLIENT.read_bytes())
    first_line = (STATIC / "demo.js").read_text().partition("\n")[0]
    assert first_line.endswith(f"Sources: {digest.hexdigest()}")


@pytest.mark.parametrize("link", sorted(set(LINK.findall((SOURCES / "links.ts").read_text()))))
def test_every_link_of_the_demo_points_to_an_existing_section(link: str) -> None:
    page, anchor = link.split("#")
    assert anchor in anchors_of((ROOT / "docs" / f"{page}.md").read_text())


def test_every_kind_of_request_with_a_name_has_a_link() -> None:
    english = (SOURCES / "texts" / "en.ts").read_text()
    kinds = english[english.index("  kinds: {") : english.index("  } as { [kind")]
    named = re.findall(r'^    "?([\w.-]+)"?: "', kinds, re.MULTILINE)
    linked = re.findall(r'^  "?([\w.-]+)"?: "', (SOURCES / "links.ts").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(linked)


def test_every_scene_has_a_name_of_its_own() -> None:
    names = [name for path in SOURCES.rglob("*.ts") for name in SCENE.findall(path.read_text())]
    assert len(names) == len(set(names)) >= 16


def test_assets_name_no_other_host() -> None:
    for path in STATIC.iterdir():
        if path.name != "demo.js":
            assert not EXTERNAL.search(path.read_text()), path.name


def test_files_of_the_demo_have_at_most_300_lines() -> None:
    for path in (*SOURCES.rglob("*.ts"), *STATIC.glob("*.css")):
        assert path.read_text().count("\n") <= 300, path
