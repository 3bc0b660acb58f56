"""Parsing of pushed JSON or XML. The Content-Type is ignored, because WeChat sends wrong ones.

XML entities are never expanded, and a DTD is never read.
"""

import re
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.wechat.damaged_text import MARK, marked_text, undamaged
from app.wechat.json_fields import JsonObject, WrongShape, parse_object

LONGEST_VALUE = 512
DEEPEST_ELEMENT = 20
# Matches CDATA sections, which are kept; blanks after `<`, as in `< OpenPID>` of WeChat's example
# of a compliance event (授权用户信息变更); and character references, which may be illegal.
MALFORMED_XML = re.compile(
    r"<!\[CDATA\[.*?(?:]]>|\Z)|(?<=<)\s+|(?<=</)\s+|&#(?:x([0-9A-Fa-f]+)|([0-9]+));", re.DOTALL
)


def parse_fields(content: bytes) -> JsonObject:
    """Parse a body as XML if its first non-blank character is `<`, or else as JSON.

    Blanks around field names are removed. Illegal characters in values are replaced by MARK
    (app/wechat/damaged_text.py). Raises WrongShape unless the body is one JSON object or one XML
    element.
    """
    text = marked_text(content)
    fields = _parse_xml(text) if text.lstrip().startswith("<") else parse_object(content)
    return {undamaged(name).strip(): value for name, value in fields.items()}


def value_of(fields: JsonObject, name: str) -> str | None:
    """Return an id, a name or a number as text, or None if it is empty or missing.

    Control characters and surrounding blanks are removed. Raises WrongShape if the rest is not
    printable ASCII or is longer than LONGEST_VALUE.
    """
    value = fields.get(name)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text is None:
        return None
    if not isinstance(text, str):
        raise WrongShape(name)
    text = undamaged(text).strip()
    if not (text.isascii() and text.isprintable() and len(text) <= LONGEST_VALUE):
        raise WrongShape(name)
    return text or None


def number_of(fields: JsonObject, name: str) -> int | None:
    """Return a non-negative integer, or None if the field is missing.

    Raises WrongShape for any other value.
    """
    text = value_of(fields, name)
    if text is None:
        return None
    if not (text.isdigit() and len(text) <= 18):
        raise WrongShape(name)
    return int(text)


def _parse_xml(text: str) -> JsonObject:
    try:
        root = fromstring(MALFORMED_XML.sub(_repaired, text), forbid_dtd=True)
    except (ValueError, ParseError, DefusedXmlException):
        raise WrongShape("not XML") from None
    return _children_of(root, depth=1)


def _repaired(found: re.Match[str]) -> str:
    hexadecimal, decimal = found.groups()
    if hexadecimal or decimal:
        is_legal = _is_legal(hexadecimal, 16) if hexadecimal else _is_legal(decimal, 10)
        return found[0] if is_legal else MARK
    return found[0] if found[0].startswith("<") else ""


def _is_legal(digits: str, base: int) -> bool:
    significant = digits.lstrip("0")
    code = int(significant or "0", base) if len(significant) <= 7 else -1
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or 0x10000 <= code <= 0x10FFFF
    )


def _children_of(parent: Element, depth: int) -> JsonObject:
    """Return the child elements as a JSON object. A repeated tag becomes a list."""
    fields: dict[str, list[object]] = {}
    for child in parent:
        fields.setdefault(child.tag, []).append(_content_of(child, depth))
    return {tag: found if len(found) > 1 else found[0] for tag, found in fields.items()}


def _content_of(element: Element, depth: int) -> object:
    if len(element) == 0:
        return element.text
    if depth == DEEPEST_ELEMENT:
        return "".join(element.itertext())
    return _children_of(element, depth + 1)
