"""The pages on errors, configuration, CLI and integration list exactly what the code defines.

The tests with a parameter `language` check the English page and its Chinese translation.
"""

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from app import cli
from app.cli.distribute import distribute_database
from app.errors import FAILURES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[A-Z][A-Z0-9_]*")
OPTION = re.compile(r"--[a-z][a-z-]*")
# The start of the paragraph with the default of a setting, by the language of the page.
DEFAULT = {"en": "Default: ", "zh-CN": "默认值："}

in_both_languages = pytest.mark.parametrize("language", ["en", "zh-CN"])


def text_of(page: str, language: str) -> str:
    """Return the text of a page of docs/ in English or Chinese."""
    end = "" if language == "en" else f".{language}"
    return (DOCS / f"{page}{end}.md").read_text()


def sections_of(page: str, language: str = "en") -> dict[str, str]:
    """Return the text of each section of the third level by its heading."""
    text = text_of(page, language)
    parts = re.split(r"^(#{1,3}) (.+)$", text, flags=re.MULTILINE)[1:]
    headings = zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
    return {title.strip("`"): body for marks, title, body in headings if marks == "###"}


@in_both_languages
def test_errors_page_lists_every_error_code_with_status_cause_and_remedy(language: str) -> None:
    """The tables of the page have the codes and statuses of `FAILURES`."""
    lines = re.findall(r"^\| `.*", text_of("errors", language), re.MULTILINE)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    listed = [(code.strip("`"), int(status)) for code, status, _, _ in rows]
    assert len(listed) == len(set(listed))
    assert dict(listed) == {code: failure.status for code, failure in FAILURES.items()}
    assert [code for code, _, cause, remedy in rows if not (cause and remedy)] == []


def variables_read() -> set[str]:
    """Return the names of the environment variables that config/ reads."""
    return {name for path in (ROOT / "config").rglob("*.py") for name in _read_in(path)}


def _read_in(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        # `environ.get("X")` and `read_number(environ, "X", ...)` read a variable, `refuse("X")`
        # does not.
        if isinstance(node, ast.Call):
            words = {ast.unparse(part).split(".")[-1] for part in node.args}
            if "environ" in words or ast.unparse(node.func).endswith("environ.get"):
                constants = (part for part in node.args if isinstance(part, ast.Constant))
                names = (str(constant.value) for constant in constants)
                yield from (name for name in names if NAME.fullmatch(name))


@in_both_languages
def test_configuration_page_lists_exactly_the_settings_that_config_reads(language: str) -> None:
    assert set(sections_of("configuration", language)) == variables_read()


@in_both_languages
def test_configuration_page_has_default_and_example_of_every_setting(language: str) -> None:
    for name, section in sections_of("configuration", language).items():
        assert re.search(rf"^{DEFAULT[language]}.", section, re.MULTILINE), name
        examples = [block for _, block in FENCE.findall(section)]
        assert any(block.startswith(f"{name}=") for block in examples), name


def commands() -> dict[str, click.Command]:
    """Return the Flask commands of this project by full name, such as `apps add`."""
    app = Flask("commands")
    cli.register(app)
    # The only command that this project adds to the group of Flask-Migrate.
    added = {"db distribute": distribute_database}
    return dict(_below(app.cli.commands.items())) | added


def _below(
    named: Iterable[tuple[str, click.Command]], path: str = ""
) -> Iterator[tuple[str, click.Command]]:
    for name, command in named:
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from _below(command.commands.items(), full)
        else:
            yield full, command


@in_both_languages
def test_cli_page_lists_exactly_the_existing_commands(language: str) -> None:
    assert set(sections_of("cli", language)) == set(commands())


@in_both_languages
@pytest.mark.parametrize("name", sorted(commands()))
def test_cli_page_has_all_options_and_an_example_of_every_command(name: str, language: str) -> None:
    """A section contains no option of another command, and its examples run its own command."""
    section = sections_of("cli", language)[name]
    options = {opt for part in commands()[name].params for opt in part.opts if opt[:2] == "--"}
    assert set(OPTION.findall(section)) == options
    blocks = [block for _, block in FENCE.findall(section)]
    examples = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert examples
    for words in examples:
        assert words[: 1 + len(name.split())] == ["flask", *name.split()]


def test_the_pages_for_mini_programs_list_every_request(app: Flask) -> None:
    """docs/integrate.md lists the native requests, docs/existing-clients.md those of dialects."""
    own = {"apps", "me", "identity"}
    native = set(_calls(app, lambda name: name in own)) - {"GET /.well-known/jwks.json"}
    native = {call for call in native if not call.endswith("/verify")}
    dialects = set(_calls(app, lambda name: name in {"gitegg", "litemall", "uniapp", "checkbind"}))
    dialects = {call for call in dialects if " /apps/" not in call}
    assert requests_listed_in("integrate.md") == native
    assert requests_listed_in("existing-clients.md") == dialects


def requests_listed_in(page: str) -> set[str]:
    """Return the requests, such as `POST /wx/auth/login`, that a page names."""
    return set(re.findall(r"`((?:GET|POST|PATCH|DELETE) /[^`]+)`", (DOCS / page).read_text()))


def _calls(app: Flask, is_meant: Callable[[str], bool]) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if is_meant(rule.endpoint.partition(".")[0]):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield f"{method} {path}"
