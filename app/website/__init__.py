"""The website: landing page at `/`, API explorer at `/docs`, and their static files."""

from flask import Flask

from app.website.pages import pages


def register(app: Flask) -> None:
    """Register the pages and static files, unless WXPASS_WEBSITE is off."""
    if app.config["WXPASS_WEBSITE"]:
        app.register_blueprint(pages)
