"""The documentation site at `/docs/guide/`."""

from flask import current_app, url_for

GUIDE = "website.show_guide"


def is_built() -> bool:
    """Return whether this process serves the documentation site."""
    return GUIDE in current_app.view_functions


def find_guide() -> str | None:
    """Return the address of the documentation site, or None if it is not served."""
    return url_for(GUIDE) if is_built() else None
