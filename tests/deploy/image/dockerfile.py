"""Execute the steps of deploy/Dockerfile in a root, for machines where buildah cannot run.

Knows only the instructions and forms that the file uses, and fails for any other.
"""

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass
class Stage:
    """A stage of the build: its root and the configuration so far."""

    root: Path
    folder: str = "/"
    arguments: dict[str, str] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: {"Labels": {}})

    def expand(self, text: str) -> str:
        """Replace the variables in a value."""
        known = self.arguments | self.environ
        return VARIABLE.sub(lambda found: known.get(found[1], ""), text)

    def path(self, name: str) -> Path:
        """Return the path of a file of the stage on this machine."""
        return self.root / (Path(self.folder) / name).relative_to("/")


def execute(
    folder: Path, base: Path, context: Path, arguments: dict[str, str]
) -> tuple[Path, dict[str, Any]]:
    """Execute the Dockerfile of a context. Return the last root and its configuration."""
    stages: dict[str, Stage] = {}
    stage = Stage(folder)
    for name, value in _instructions((context / "deploy" / "Dockerfile").read_text()):
        if name == "FROM":
            stage = Stage(folder / f"stage-{len(stages)}")
            stage.root.mkdir(parents=True)
            subprocess.run(["tar", "-xf", str(base), "-C", str(stage.root)], check=True)
            stages[value.partition(" AS ")[2] or "last"] = stage
        elif name == "ARG":
            _declare(stage, value, arguments)
        elif name == "RUN":
            _run(stage, value)
        elif name == "COPY":
            _copy(stage, value, stages, context)
        else:
            _configure(stage, name, value)
    stage.settings["Env"] = [f"{name}={value}" for name, value in stage.environ.items()]
    return stage.root, stage.settings


def _instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for line in lines.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, value = line.partition(" ")
            yield name, value.strip()


def _declare(stage: Stage, value: str, arguments: dict[str, str]) -> None:
    name, _, default = value.partition("=")
    if given := arguments.get(name, default):
        stage.arguments[name] = given


def _run(stage: Stage, command: str) -> None:
    environ = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | stage.arguments | stage.environ
    listed = [f"{name}={value}" for name, value in environ.items()]
    inside = ["env", "-i", *listed, "sh", "-ec", f"cd {stage.folder}; {command}"]
    subprocess.run(["chroot", str(stage.root), *inside], check=True, timeout=300)


def _copy(stage: Stage, value: str, stages: dict[str, Stage], context: Path) -> None:
    *sources, target = value.split()
    to = stage.path(target)
    if sources[0].startswith("--from="):
        source = stages[sources[0].removeprefix("--from=")].root / sources[1].lstrip("/")
        shutil.copytree(source, to, symlinks=True, dirs_exist_ok=True)
        return
    patterns = [one for one in (context / ".dockerignore").read_text().splitlines() if one]
    to.mkdir(parents=True, exist_ok=True) if target in (".", "./") else None
    for name in sources:
        top = context / name
        files = [path for path in top.rglob("*") if path.is_file()] if top.is_dir() else [top]
        for file in files:
            if not is_ignored(str(file.relative_to(context)), patterns):
                into = to / (file.relative_to(top) if top.is_dir() else file.name)
                into.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, into)


def is_ignored(path: str, patterns: list[str]) -> bool:
    """Return whether .dockerignore excludes a file. The last matching pattern decides."""
    above = [path, *map(str, Path(path).parents)][:-1]
    ignored = False
    for pattern in patterns:
        glob = pattern.lstrip("!")
        names = [Path(one).name for one in above] if glob.startswith("**/") else above
        if any(fnmatch(one, glob.removeprefix("**/")) for one in names):
            ignored = not pattern.startswith("!")
    return ignored


def _configure(stage: Stage, name: str, value: str) -> None:
    settings = stage.settings
    if name == "WORKDIR":
        stage.folder = settings["WorkingDir"] = value
        stage.path(".").mkdir(parents=True, exist_ok=True)
    elif name == "ENV":
        stage.environ |= dict(one.split("=", 1) for one in shlex.split(stage.expand(value)))
    elif name == "LABEL":
        settings["Labels"] |= dict(one.split("=", 1) for one in shlex.split(stage.expand(value)))
    elif name == "USER":
        settings["User"] = value
    elif name == "CMD":
        settings["Cmd"] = json.loads(value)
    elif name == "HEALTHCHECK":
        settings["Healthcheck"] = {"Test": ["CMD", *json.loads(value.partition("CMD ")[2])]}
    elif name != "EXPOSE":
        raise ValueError(f"unknown instruction: {name}")
