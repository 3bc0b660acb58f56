"""The web console at /console, built with Flask-Admin and its own templates.

To add a page, write a view class in `views/` and register it in `init_app`. The menu lists the
pages in order of registration.
"""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from app.admin.console import access, rendering
from app.admin.console.auth_views import auth_pages
from app.admin.console.views.account import AccountView
from app.admin.console.views.alerts import AlertsView, PlatformAlertsView
from app.admin.console.views.apps import AppsView
from app.admin.console.views.audit import AuditView, ServiceAuditView
from app.admin.console.views.failures import AllFailuresView, FailuresView
from app.admin.console.views.home import HomeView
from app.admin.console.views.operators import OperatorsView
from app.admin.console.views.sessions import SessionsView
from app.admin.console.views.tenants import FirstView, TenantsView
from app.admin.console.views.user_import import UserImportView
from app.admin.console.views.users import UsersView
from app.headers import nonce


def init_app(app: Flask) -> None:
    """Register access control, the templates, the sign-in pages and all other pages."""
    access.init_app(app)
    rendering.init_app(app)
    app.register_blueprint(auth_pages)
    admin = Admin(
        app,
        name="wxpass",
        index_view=HomeView(),
        theme=Bootstrap4Theme(base_template="console/base.html"),
        csp_nonce_generator=nonce,
    )
    for view in (FailuresView, AppsView, UsersView, UserImportView, SessionsView, AlertsView):
        admin.add_view(view())
    for view in (AuditView, FirstView, TenantsView, AllFailuresView, OperatorsView):
        admin.add_view(view())
    for view in (PlatformAlertsView, ServiceAuditView):
        admin.add_view(view())
    admin.add_view(AccountView())
