"""The first page: how the tenant's mini-programs are doing."""

from flask.typing import ResponseReturnValue
from flask_admin import AdminIndexView, expose

from app.admin.console.guard import ROOT
from app.admin.console.pages import N_, Page


class HomeView(Page, AdminIndexView):
    """What happened today and in thirty days."""

    def __init__(self) -> None:
        super().__init__(name=N_("Home"), endpoint="console", url=ROOT)

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show it."""
        return self.render("console/home.html")
