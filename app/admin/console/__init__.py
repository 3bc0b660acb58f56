"""The web console at /console: server-rendered, on Flask-Admin, with our own theme."""

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Bootstrap4Theme

from app.admin.console import guard
from app.admin.console.account_views import AccountView
from app.admin.console.apps import AppsView
from app.admin.console.audit import AuditView, ServiceAuditView
from app.admin.console.doorway import doorway
from app.admin.console.home import HomeView
from app.admin.console.operators import OperatorsView
from app.admin.console.people import PeopleView
from app.admin.console.sessions import SessionsView
from app.admin.console.tenants import FirstView, TenantsView
from app.admin.console.users import UsersView


def init_app(app: Flask) -> None:
    """Register every page, behind the sign-in."""
    guard.init_app(app)
    app.register_blueprint(doorway)
    admin = Admin(
        app,
        name="wxpass",
        index_view=HomeView(),
        theme=Bootstrap4Theme(base_template="console/base.html"),
        csp_nonce_generator=guard.nonce,
    )
    for view in (AppsView, UsersView, PeopleView, SessionsView, AuditView):
        admin.add_view(view())
    for view in (FirstView, TenantsView, OperatorsView, ServiceAuditView, AccountView):
        admin.add_view(view())
