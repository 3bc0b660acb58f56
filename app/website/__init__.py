"""The website: landing page, API explorer, documentation site, and their static files."""

from flask import Flask

from app.website.guide import guide
from app.website.pages import pages
from app.website.readiness import RecentReadiness


def register(app: Flask) -> None:
    """Register the pages and static files, unless WXPASS_WEBSITE is off.

    Production does not serve the documentation site.
    """
    if not app.config["WXPASS_WEBSITE"]:
        return
    app.extensions["recent_readiness"] = RecentReadiness()
    app.register_blueprint(pages)
    if not app.config["WXPASS_PRODUCTION"]:
        app.register_blueprint(guide)
