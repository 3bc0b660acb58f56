"""The fields of a pushed body, be it JSON or XML. What the Content-Type says has been wrong before.

Of XML, no entity is ever expanded and no DTD read.
"""

import re
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.wechat.json_fields import JsonObject, WrongShape, parse_object

LONGEST_VALUE = 512
# WeChat's own example of a compliance event (授权用户信息变更) has `< OpenPID>`, which is no XML.
BLANK_IN_TAG = re.compile(r"(?<=<)\s+|(?<=</)\s+")


def parse_fields(content: bytes) -> JsonObject:
    """Parse a body by its first byte that is no blank; names without blanks around.

    Raises WrongShape for anything but one JSON object, or one XML element with others in it.
    """
    fields = _parse_xml(content) if content.lstrip().startswith(b"<") else parse_object(content)
    return {name.strip(): value for name, value in fields.items()}


def value_of(fields: JsonObject, name: str) -> str | None:
    """Return an id, a name or a number as text without blanks around, or None without any.

    Raises WrongShape for what is not printable ASCII, which none of them ever is, or is too long.
    """
    value = fields.get(name)
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text is None:
        return None
    if not (isinstance(text, str) and text.isascii() and len(text) <= LONGEST_VALUE):
        raise WrongShape(name)
    text = text.strip()
    if not text.isprintable():
        raise WrongShape(name)
    return text or None


def number_of(fields: JsonObject, name: str) -> int | None:
    """Return a whole number that JSON or XML holds as digits, or None; raises WrongShape."""
    text = value_of(fields, name)
    if text is None:
        return None
    if not (text.isdigit() and len(text) <= 18):
        raise WrongShape(name)
    return int(text)


def _parse_xml(content: bytes) -> JsonObject:
    try:
        text = BLANK_IN_TAG.sub("", content.decode("utf-8"))
        root = fromstring(text, forbid_dtd=True)
    except (ValueError, ParseError, DefusedXmlException):
        raise WrongShape("not XML") from None
    return {child.tag: child.text for child in root}
