"""The web console at /console.

To add a page, see `views/`.
"""

from flask import Flask

from app.admin.console import access, assets, navigation, people, rendering, times
from app.admin.console.auth_views import auth_pages
from app.admin.console.views import (
    account,
    alerts,
    apps,
    audit,
    failures,
    home,
    operators,
    search,
    sessions,
    tenants,
    user_changes,
    user_import,
)

BLUEPRINTS = (
    auth_pages,
    tenants.start_page,
    home.pages,
    failures.pages,
    apps.pages,
    user_changes.pages,
    user_import.pages,
    sessions.pages,
    alerts.pages,
    audit.pages,
    search.pages,
    search.own_search,
    tenants.pages,
    failures.platform_pages,
    operators.pages,
    alerts.platform_pages,
    audit.platform_pages,
    account.pages,
)


def init_app(app: Flask) -> None:
    """Register access control, the template variables and all pages."""
    access.init_app(app)
    rendering.init_app(app)
    times.init_app(app)
    navigation.init_app(app)
    people.init_app(app)
    assets.init_app(app)
    for pages in BLUEPRINTS:
        app.register_blueprint(pages)
