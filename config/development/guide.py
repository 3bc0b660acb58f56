"""The documentation site of `make run`, which is built in the background."""

from collections.abc import Mapping
from pathlib import Path

from config import documentation
from config.development.children import Child, launch_command

ADDRESS = "/docs/guide/"
# The start of the other processes comes first.
COMMAND = ["nice", "make", "--silent", "docs"]


def start_build(environ: Mapping[str, str], logs: Path) -> Child | None:
    """Start `make docs`. Return None if the site is current."""
    if documentation.is_current():
        return None
    return launch_command("docs", COMMAND, environ, documentation.ROOT, logs / "docs.log")


def describe(service: str, build: Child | None) -> str:
    """Return a line about the site of a running service."""
    note = "   (being built / 正在生成)" if build else ""
    return f"  Docs / 文档       {service}{ADDRESS}{note}"


def describe_end(service: str, build: Child) -> str:
    """Return a line about a build that has ended."""
    if build.process.returncode == 0:
        return f"\nThe documentation is ready. / 文档已生成：  {service}{ADDRESS}"
    return f"\nThe documentation was not built. / 文档生成失败，详见：  {build.log}"
