"""The copy of Swagger UI: unchanged, of the pinned version, and with the labels of labels.js."""

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

from app.api.openapi.tags import TAGS

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "app" / "website" / "static"
COPIES = STATIC / "swagger-ui"
EXPLORER = ROOT / "clients" / "explorer"
LABEL = re.compile(r'^    "([^"]+)": "([^"]*)",$', re.MULTILINE)


def record() -> dict[str, Any]:
    """Return version and digests as `npm run build` wrote them."""
    return dict(json.loads((EXPLORER / "swagger-ui.json").read_text()))


def test_the_copies_are_those_of_the_pinned_package() -> None:
    """If this test fails, run `npm ci && npm run build` in clients/explorer."""
    package = json.loads((EXPLORER / "package.json").read_text())
    assert record()["version"] == package["devDependencies"]["swagger-ui-dist"]
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in COPIES.iterdir()}
    assert found == record()["files"]


def constant(name: str) -> str:
    """Return the lines of an object in labels.js."""
    return (STATIC / "labels.js").read_text().partition(f"const {name} = {{")[2].partition("};")[0]


def test_npm_runs_no_script_of_the_package() -> None:
    """A dependency of the package reports installations to a server."""
    assert "ignore-scripts=true" in (EXPLORER / ".npmrc").read_text()


def test_every_translated_label_is_a_label_of_swagger_ui() -> None:
    bundle = (COPIES / "swagger-ui-bundle.js").read_text()
    labels = LABEL.findall(constant("CHINESE"))
    assert len(labels) > 30
    assert [english for english, _ in labels if english not in bundle] == []


def test_every_tag_of_the_openapi_document_has_a_chinese_label() -> None:
    assert [english for english, _ in LABEL.findall(constant("TAGS"))] == [tag.name for tag in TAGS]


def test_the_explorer_takes_no_configuration_from_the_address_and_stores_no_token() -> None:
    script = (STATIC / "explorer.js").read_text()
    for setting in ("queryConfigEnabled: false", "persistAuthorization: false"):
        assert setting in script
    for setting in ("validatorUrl: null", 'request.credentials = "omit"'):
        assert setting in script
    assert "Storage" not in script
    assert "location.search" not in script
