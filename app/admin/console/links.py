"""HTML for user-chosen names."""

from markupsafe import Markup


def isolated(name: str) -> Markup:
    """Return an escaped name in `<bdi>`, so that right-to-left text in it affects no other text."""
    return Markup("<bdi>{}</bdi>").format(name)
