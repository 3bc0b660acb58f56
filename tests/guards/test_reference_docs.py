"""The pages on errors, configuration, CLI and integration list exactly what the code defines."""

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

from app import cli
from app.errors import FAILURES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NAME = re.compile(r"[A-Z][A-Z0-9_]*")
OPTION = re.compile(r"--[a-z][a-z-]*")


def sections_of(name: str) -> dict[str, str]:
    """Return the text of each section of the third level by its heading."""
    text = (DOCS / name).read_text()
    parts = re.split(r"^(#{1,3}) (.+)$", text, flags=re.MULTILINE)[1:]
    headings = zip(parts[0::3], parts[1::3], parts[2::3], strict=True)
    return {title.strip("`"): body for marks, title, body in headings if marks == "###"}


def test_errors_page_lists_every_error_code_with_status_cause_and_remedy() -> None:
    """The tables of docs/errors.md have the codes and statuses of `FAILURES`."""
    lines = re.findall(r"^\| `.*", (DOCS / "errors.md").read_text(), re.MULTILINE)
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


def test_configuration_page_lists_exactly_the_settings_that_config_reads() -> None:
    assert set(sections_of("configuration.md")) == variables_read()


def test_configuration_page_has_default_and_example_of_every_setting() -> None:
    for name, section in sections_of("configuration.md").items():
        assert re.search(r"^Default: .", section, re.MULTILINE), name
        examples = [block for _, block in FENCE.findall(section)]
        assert any(block.startswith(f"{name}=") for block in examples), name


def commands() -> dict[str, click.Command]:
    """Return the Flask commands of this project by full name, such as `apps add`."""
    app = Flask("commands")
    cli.register(app)
    return dict(_below(app.cli.commands.items()))


def _below(
    named: Iterable[tuple[str, click.Command]], path: str = ""
) -> Iterator[tuple[str, click.Command]]:
    for name, command in named:
        full = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from _below(command.commands.items(), full)
        else:
            yield full, command


def test_cli_page_lists_exactly_the_existing_commands() -> None:
    assert set(sections_of("cli.md")) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_cli_page_has_all_options_and_an_example_of_every_command(name: str) -> None:
    """A section contains no option of another command, and its examples run its own command."""
    section = sections_of("cli.md")[name]
    options = {opt for part in commands()[name].params for opt in part.opts if opt[:2] == "--"}
    assert set(OPTION.findall(section)) == options
    blocks = [block for _, block in FENCE.findall(section)]
    examples = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert examples
    for words in examples:
        assert words[: 1 + len(name.split())] == ["flask", *name.split()]


def test_integrate_page_lists_every_request_of_a_mini_program(app: Flask) -> None:
    """docs/integrate.md lists the native requests and those of the dialects."""
    own = {"apps", "me", "identity"}
    native = set(_calls(app, lambda name: name in own)) - {"GET /.well-known/jwks.json"}
    native = {call for call in native if not call.endswith("/verify")}
    dialects = set(_calls(app, lambda name: name in {"gitegg", "litemall", "uniapp", "checkbind"}))
    dialects = {call for call in dialects if " /apps/" not in call}
    listed = re.findall(
        r"`((?:GET|POST|PATCH|DELETE) /[^`]+)`", (DOCS / "integrate.md").read_text()
    )
    assert set(listed) == native | dialects


def _calls(app: Flask, is_meant: Callable[[str], bool]) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        if is_meant(rule.endpoint.partition(".")[0]):
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield f"{method} {path}"
