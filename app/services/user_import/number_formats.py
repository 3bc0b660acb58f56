"""The text that Excel displays for a whole number in a number format."""

import re
from collections.abc import Iterator, Sequence

# Sections of a format for positive, negative and other values are separated by semicolons.
TOKEN = re.compile(
    r"""
    "(?P<quoted>[^"]*)" | \\(?P<escaped>.)
    | (?P<hidden> _. | \*. | \[\$-[0-9A-F]+\] | \[(?:RED|BLACK|BLUE|GREEN|WHITE|CYAN|MAGENTA
        |YELLOW|COLOR\d+|[红黑蓝绿白黄]色|青色|蓝绿色|洋红色|颜色\d+)\])
    | (?P<general>General|G/通用格式|@)
    | (?P<grouped>[#0]*,[#0,]*[#0])
    | (?P<digit>[0#])
    | (?P<decimals>\.[0#]+(?:E\+0+)?)
    | (?P<literal>[-+/(): ])
    | (?P<section>;)
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Token kinds of formats without padding, possibly grouped by thousands or in exponent notation.
PLAIN = ({"general"}, {"grouped"}, {"grouped", "decimals"}, {"digit", "decimals"})

Token = tuple[str, str]


def displayed(number: int, number_format: str) -> str | None:
    """Return the number in the format, or None if the format is not supported.

    Thousands separators and decimals, which are zero, are omitted: `#,##0.00` equals `0`. Leading
    zeros and texts around the digits are kept: `000000`, `"A"0000`.
    """
    sections = _sections(number_format)
    if sections is None or (number == 0 and len(sections) > 2):
        return None
    tokens = sections[0]
    kinds = {kind for kind, _ in tokens}
    has_sign = number < 0 and len(sections) == 1
    if number < 0 and not has_sign:
        return str(number) if kinds <= {"digit"} and len(tokens) == 1 else None
    sign = "-" if has_sign else ""
    if kinds in PLAIN and (kinds != {"digit", "decimals"} or _is_unpadded(tokens)):
        return sign + str(abs(number))
    return sign + _filled(str(abs(number)), tokens) if _can_be_filled(kinds) else None


def _sections(number_format: str) -> Sequence[Sequence[Token]] | None:
    sections: list[list[Token]] = [[]]
    position = 0
    while position < len(number_format):
        token = TOKEN.match(number_format, position)
        if token is None:
            return None
        position = token.end()
        kind = token.lastgroup or ""
        if kind == "section":
            sections.append([])
        elif kind != "hidden":
            sections[-1].append((kind, token[kind]))
    return sections


def _is_unpadded(tokens: Sequence[Token]) -> bool:
    return sum(1 for token in tokens if token == ("digit", "0")) <= 1


def _can_be_filled(kinds: set[str]) -> bool:
    return "digit" in kinds and kinds <= {"digit", "quoted", "escaped", "literal"}


def _filled(digits: str, tokens: Sequence[Token]) -> str:
    """Insert the digits into the places of a format, from the right."""
    return "".join(reversed([*_from_the_right(digits, tokens)]))


def _from_the_right(digits: str, tokens: Sequence[Token]) -> Iterator[str]:
    places = [index for index, (kind, _) in enumerate(tokens) if kind == "digit"]
    left = list(digits)
    for index in reversed(range(len(tokens))):
        kind, text = tokens[index]
        if kind != "digit":
            yield text
        elif left:
            # The first place takes all remaining digits.
            take = len(left) if index == places[0] else 1
            yield "".join(left[-take:])
            del left[-take:]
        elif text == "0":
            yield "0"
