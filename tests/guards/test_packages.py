"""The packages of `app/services`: allowed imports, no import cycles, limited size."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.guards.test_design import ROOT

SERVICES = ROOT / "app" / "services"
MODULES = sorted(path for path in SERVICES.rglob("*.py") if path != SERVICES / "__init__.py")
MAX_FILES = 20

# Ordered from the lowest package to the highest. Each package may import the listed packages,
# which are all lower.
MAY_IMPORT: dict[str, set[str]] = {
    "runtime": set(),
    "proxy_probe": set(),
    "principals": set(),
    "database": {"runtime"},
    "audit": set(),
    "job_runs": {"database"},
    "cache": {"runtime", "principals", "database"},
    "passwords": {"runtime", "principals"},
    "apps": {"runtime", "database", "audit", "cache"},
    "metrics": {"runtime", "database"},
    "failures": {"database", "apps", "metrics"},
    "alerts": {"runtime", "database", "audit", "job_runs", "cache", "failures"},
    "sessions": {"runtime", "principals", "database", "audit", "cache", "apps", "metrics"},
    "signing": {"principals", "database", "audit", "sessions"},
    "users": {"runtime", "principals", "database", "audit", "passwords", "apps", "sessions"},
    "encryption": {"database", "audit", "users"},
    "operators": {
        *("runtime", "principals", "database", "audit", "passwords", "apps", "sessions"),
        "signing",
    },
    "social_accounts": {
        *("principals", "database", "audit", "apps", "metrics", "sessions", "users"),
    },
    "login": {
        *("runtime", "principals", "database", "audit", "apps", "metrics", "sessions", "users"),
        "social_accounts",
    },
    "user_import": {"runtime", "database", "audit", "passwords", "users"},
    "privacy": {
        *("principals", "database", "audit", "passwords", "sessions", "signing", "users"),
        *("social_accounts", "user_import"),
    },
    "tenant_admin": {
        *("database", "audit", "apps", "metrics", "failures", "sessions", "users", "operators"),
        "social_accounts",
    },
    "pushes": {"database", "apps", "privacy"},
    "retention": {
        *("database", "audit", "apps", "metrics", "signing", "social_accounts", "login"),
        *("privacy", "pushes"),
    },
}


def name_of(path: Path) -> str:
    """Return the dotted name of a module."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {name_of(path): path for path in MODULES}


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of `app.services` that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("app.services"):
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in NAMES else str(node.module)


def package_of(module: str) -> str:
    """Return the package of a module in `app.services`. A module without a package is returned."""
    return module.split(".")[2]


def test_every_package_imports_only_the_packages_that_it_may_import() -> None:
    for name, path in NAMES.items():
        package = package_of(name)
        for module in imports_of(path):
            imported = package_of(module)
            assert imported == package or imported in MAY_IMPORT[package], f"{name} -> {module}"


def test_packages_may_import_lower_packages_only() -> None:
    below: set[str] = set()
    for package, imported in MAY_IMPORT.items():
        assert imported <= below, f"{package} imports {imported - below}, which is not lower"
        below.add(package)


def test_every_allowed_import_between_packages_is_used() -> None:
    """An unused entry of MAY_IMPORT would allow a new dependency without review."""
    used: dict[str, set[str]] = {package: set() for package in MAY_IMPORT}
    for name, path in NAMES.items():
        used[package_of(name)] |= {package_of(module) for module in imports_of(path)}
    for package, imported in MAY_IMPORT.items():
        assert imported == used[package] - {package}, package


def test_modules_do_not_import_each_other_in_a_cycle() -> None:
    graph = {
        name: {module for module in imports_of(path) if module in NAMES}
        for name, path in NAMES.items()
    }
    while free := {name for name, imported in graph.items() if not imported & graph.keys()}:
        graph = {name: imported for name, imported in graph.items() if name not in free}
    assert not graph


def test_every_package_has_a_docstring_of_one_sentence() -> None:
    for package in SERVICES.glob("*/__init__.py"):
        docstring = ast.get_docstring(ast.parse(package.read_text())) or ""
        assert docstring.endswith("."), package
        assert "\n" not in docstring, package
        assert docstring.count(". ") == 0, package


def test_every_folder_except_models_has_at_most_20_python_files() -> None:
    """app/models has one file per table."""
    for top in ("app", "config", "tests"):
        folders = {path.parent for path in (ROOT / top).rglob("*.py")}
        too_large = {
            str(folder.relative_to(ROOT)): number
            for folder in folders
            if (number := len(list(folder.glob("*.py")))) > MAX_FILES
        }
        too_large.pop("app/models", None)
        assert not too_large
