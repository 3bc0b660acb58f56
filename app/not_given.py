"""Default value of parameters for which None is a meaningful value."""

from enum import Enum
from typing import Final, Literal


class NotGiven(Enum):
    """The type of `NOT_GIVEN`. An enum, so that mypy can narrow `value is NOT_GIVEN`."""

    NOT_GIVEN = "not given"


NOT_GIVEN: Final[Literal[NotGiven.NOT_GIVEN]] = NotGiven.NOT_GIVEN
