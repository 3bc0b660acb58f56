"""A marker for a value that was left out, where None is a value of its own."""

from enum import Enum
from typing import Final, Literal


class NotGiven(Enum):
    """The type of `NOT_GIVEN`, so that a type checker can tell it from every value."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final[Literal[NotGiven.NOT_GIVEN]] = NotGiven.NOT_GIVEN
