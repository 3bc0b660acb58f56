"""The design of the code: allowed imports, sizes of files and functions, and names."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYTHON = sorted(path for top in ("app", "config") for path in (ROOT / top).rglob("*.py"))
PYTHON.append(ROOT / "wsgi.py")

# The other layers that each layer may import. A layer is a file or folder in app/.
MAY_IMPORT = {
    "wechat": set(),
    "notifications": set(),
    "simulator": set(),
    "clock": set(),
    "i18n_marker": set(),
    "extensions": set(),
    "keyring": set(),
    "settings": {"connections", "extensions", "version"},
    "text_cleaning": set(),
    "version": set(),
    "errors": {"wechat"},
    "models": {"extensions", "keyring"},
    "services": {
        "i18n_marker",
        "metrics",
        "not_given",
        "models",
        "extensions",
        "keyring",
        "clock",
        "errors",
        "wechat",
        "notifications",
        "text_cleaning",
    },
    "not_given": set(),
    "schemas": {"clock", "models.registration", "not_given", "text_cleaning"},
    "connections": {"extensions", "errors.sqlstates", "metrics"},
    "metrics": set(),
    "monitoring": {
        "connections",
        "extensions",
        "clock",
        "metrics",
        "models",
        "services",
        "version",
    },
    "logs": {"errors"},
    "tracing": {"errors", "extensions", "logs", "version", "wechat"},
    "headers": set(),
    "languages": {"i18n_marker"},
    "failure_metrics": {"services", "errors", "metrics"},
    "problems": {"errors", "languages", "wechat"},
    "boot": {"services", "errors", "languages", "extensions"},
    "tenancy": {"services", "errors"},
    "auth": {"services", "errors", "proxies"},
    "proxies": set(),
    "doctor": {
        *("clock", "errors", "extensions", "keyring", "languages", "models"),
        *("services", "version", "wechat"),
    },
    "api": {
        *("schemas", "services", "auth", "tenancy", "problems", "version", "errors", "logs"),
        *("extensions", "languages", "metrics"),
    },
    "identity_fast_path": {"api", "auth", "errors", "headers", "logs", "metrics", "services"},
    "dialects": {
        "schemas",
        "services",
        "auth",
        "tenancy",
        "problems",
        "errors",
        "languages",
        "wechat",
    },
    "admin": {
        "i18n_marker",
        "not_given",
        "clock",
        "keyring",
        "schemas",
        "services",
        "models",
        "extensions",
        "auth",
        "problems",
        "api",
        "errors",
        "languages",
        "text_cleaning",
        "headers",
        "allowed_hosts",
    },
    "website": {"allowed_hosts", "auth", "errors", "headers", "languages", "services"},
    "cli": {
        "models.registration",
        *("not_given", "schemas", "services", "errors", "languages", "keyring", "text_cleaning"),
        *("doctor", "version"),
    },
}
TOP_LEVEL = {
    *("app", "clients", "config", "deploy", "docs", "examples", "migrations", "tests"),
    *("Makefile", "pyproject.toml", "mkdocs.yml", "wsgi.py"),
    *("requirements.in", "requirements.txt", "requirements-dev.in", "requirements-dev.txt"),
    *("requirements-docs.in", "requirements-docs.txt"),
    *("requirements-tracing.in", "requirements-tracing.txt"),
    *("README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md"),
    *("AUTHORS", "LICENSE", "NOTICE", "SECURITY.md"),
}
VIEW_DECORATORS = {"route", "get", "post", "put", "patch", "delete"}
VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}


def layer_of(path: Path) -> str:
    """Return the layer of a file in app/."""
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


def imports_of(tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Yield every import statement with the name of the imported module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or ""
            if node.module == "app":
                yield from ((node, f"app.{name.name}") for name in node.names)


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text())


def functions_of(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Return every function definition in a syntax tree."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def test_no_function_contains_an_import() -> None:
    for path in PYTHON:
        for function in functions_of(parsed(path)):
            assert not list(imports_of(function)), f"{path}: {function.name}"


def test_every_file_imports_only_layers_allowed_for_its_own_layer() -> None:
    for path in PYTHON:
        if ROOT / "app" in path.parents and path != ROOT / "app" / "__init__.py":
            forbidden = list(forbidden_imports(path))
            assert not forbidden, f"{path} imports {forbidden}"


def forbidden_imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports although its layer may not import them."""
    layer = layer_of(path)
    for _, module in imports_of(parsed(path)):
        name = module.removeprefix("app.")
        if module.startswith("app.") and not {name, name.split(".")[0]} & {
            layer,
            *MAY_IMPORT[layer],
        }:
            yield module


def test_only_the_layers_wechat_notifications_and_doctor_send_requests() -> None:
    """The simulator, which production does not load, pushes messages as WeChat does.

    The doctor, which no request uses, asks the service itself at its ports and public address.
    """
    senders = ("wechat", "notifications", "simulator", "doctor")
    for path in (ROOT / "app").rglob("*.py"):
        modules = {module for _, module in imports_of(parsed(path))}
        clients = modules & {"requests", "urllib3", "httptools", "http.client", "smtplib"}
        assert layer_of(path) in senders or not clients, path


def test_only_the_module_transactions_commits() -> None:
    for path in (ROOT / "app").rglob("*.py"):
        names = (getattr(node, "attr", "") for node in ast.walk(parsed(path)))
        assert path.name == "transactions.py" or "commit" not in names, path


def test_files_have_at_most_300_lines_and_functions_at_most_40_lines_and_names_are_specific() -> (
    None
):
    for path in PYTHON:
        assert path.read_text().count("\n") <= 300, path
        assert not VAGUE & set(path.with_suffix("").parts[-3:]), f"{path}: a name without a meaning"
        for function in functions_of(parsed(path)):
            length = (function.end_lineno or 0) - function.lineno + 1
            assert length <= 40, f"{path}: {function.name} has {length} lines"


def is_view(function: ast.FunctionDef) -> bool:
    """Return whether a decorator of Flask registers the function as a view."""
    calls = [node.func for node in function.decorator_list if isinstance(node, ast.Call)]
    names = {getattr(call, "attr", getattr(call, "id", "")) for call in calls}
    uses_blueprint = any("blp" in ast.unparse(node) for node in function.decorator_list)
    return uses_blueprint or bool(names & VIEW_DECORATORS)


def test_views_are_short_and_contain_no_branches() -> None:
    """A view has at most four statements, without `if`, `try` or `for`."""
    views = [
        (path, function)
        for path in (ROOT / "app").rglob("*.py")
        for function in functions_of(parsed(path))
        if is_view(function)
    ]
    assert {path.stem for path, _ in views} >= {"auth_views", "account", "user_changes", "gitegg"}
    for path, function in views:
        name = f"{path.relative_to(ROOT)}: {function.name}"
        assert len(function.body) <= 4, name
        kinds = {type(node) for node in ast.walk(function)}
        assert not kinds & {ast.If, ast.IfExp, ast.Try, ast.For}, name


def test_public_functions_have_docstrings() -> None:
    undocumented = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in PYTHON
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list)
        and not ast.get_docstring(node)
    ]
    assert undocumented == []


def test_the_repository_root_contains_only_known_files_and_folders() -> None:
    present = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert present - {"var", "__pycache__"} <= TOP_LEVEL
