"""The programs that build the site, in a virtual environment of their own.

The service runs without them, and `make run` does not wait for their installation.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from config.documentation import REQUIREMENTS, ROOT

TOOLS = ROOT / "var" / "docs-tools"
PYTHON = TOOLS / "bin" / "python"
# The requirements that are installed. Written last, so an interrupted installation is done again.
STAMP = TOOLS / "installed.txt"
FAILED = """
The tools of the documentation could not be installed. Is there a network? The pages are in docs/.
无法安装文档生成工具，请检查网络。文档的 Markdown 文件在 docs/ 目录下。"""


class ToolsMissing(Exception):
    """The programs could not be installed."""


def install_tools() -> Path:
    """Install the programs unless they are installed. Return the Python that runs them.

    Raises ToolsMissing. Two processes must not call this at the same time.
    """
    if STAMP.exists() and STAMP.read_text() == REQUIREMENTS.read_text():
        return PYTHON
    print("Installing what the documentation needs / 正在安装文档生成工具 ...", flush=True)
    shutil.rmtree(TOOLS, ignore_errors=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(TOOLS)],
        [*pip, "--require-hashes", "--requirement", str(REQUIREMENTS)],
    ):
        if subprocess.run(command, check=False).returncode != 0:
            raise ToolsMissing(FAILED)
    STAMP.write_text(REQUIREMENTS.read_text())
    return PYTHON
