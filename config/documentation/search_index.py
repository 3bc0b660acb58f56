"""One search index for each language of the site.

mkdocs writes one index for all languages. A search in English would also find Chinese pages.
"""

import json
import os
import re
from pathlib import Path

Section = dict[str, str]

CHINESE = "zh-CN"
INDEX = Path("search", "search_index.json")
# The folder of the site, relative to a page. The search reads its index below this folder.
_BASE = re.compile(r'(<script id="__config" type="application/json">.*?"base": )"[^"]*"')


def split_search_index(site: Path) -> None:
    """Write an index for each language, and let the Chinese pages read the Chinese one."""
    index = json.loads((site / INDEX).read_text())
    english, chinese = _split(index["docs"])
    folder = site / CHINESE
    (folder / INDEX).parent.mkdir()
    for file, sections in ((site / INDEX, english), (folder / INDEX, chinese)):
        file.write_text(json.dumps(index | {"docs": sections}, ensure_ascii=False))
    for file in folder.rglob("*.html"):
        base = os.path.relpath(folder, file.parent)
        page, count = _BASE.subn(rf'\g<1>"{base}"', file.read_text())
        if count != 1:
            raise ValueError(f"{file} has no configuration of the search")
        file.write_text(page)


def _split(sections: list[Section]) -> tuple[list[Section], list[Section]]:
    """Return the English sections, and the Chinese ones with those of untranslated pages.

    The locations of the Chinese sections are relative to the Chinese folder.
    """
    prefix = f"{CHINESE}/"
    english = [one for one in sections if not one["location"].startswith(prefix)]
    chinese = [
        one | {"location": one["location"].removeprefix(prefix)}
        for one in sections
        if one["location"].startswith(prefix)
    ]
    translated = {_page(one) for one in chinese}
    return english, chinese + [one for one in english if _page(one) not in translated]


def _page(section: Section) -> str:
    return section["location"].partition("#")[0]
