"""The operator's own sign-in: one-time codes on and off."""

from collections.abc import Callable

import segno
from flask import url_for
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_babel import gettext

from app.admin.console.forms import CodeForm
from app.admin.console.guard import signed_in
from app.admin.console.pages import Page, done
from app.catalogue import N_
from app.errors import Failure
from app.services import one_time_codes as service
from app.services.operator_sessions import SignedIn
from app.services.operators import show_operator


class MineView(Page):
    """What operators change of themselves."""

    of_tenant = False

    def __init__(self) -> None:
        super().__init__(name=N_("My sign-in"), endpoint="console_mine", url="mine")

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show whether codes are asked for."""
        return self._shown(CodeForm())

    @expose("/prepare", methods=["POST"])
    def prepare(self) -> ResponseReturnValue:
        """Show the secret for the authenticator app, once."""
        uri = service.begin_enrolment(signed_in().operator_id).uri
        return self._shown(CodeForm(formdata=None), uri=uri, picture=_picture(uri))

    @expose("/codes-on", methods=["POST"])
    def switch_on(self) -> ResponseReturnValue:
        """Ask for codes from now on."""
        return self._switch(service.confirm_enrolment, gettext("Codes are asked for from now on."))

    @expose("/codes-off", methods=["POST"])
    def switch_off(self) -> ResponseReturnValue:
        """Ask for none any more."""
        return self._switch(service.remove_own_codes, gettext("Codes are not asked for any more."))

    def _switch(
        self, switch: Callable[[SignedIn, str], object], message: str
    ) -> ResponseReturnValue:
        form = CodeForm()
        if not form.validate_on_submit():
            return self._shown(form)
        try:
            switch(signed_in(), form.code.data)
        except Failure as failure:
            return self._shown(form, failure=failure)
        return done(url_for(".index"), message)

    def _shown(self, form: CodeForm, **more: object) -> ResponseReturnValue:
        asked = show_operator(signed_in().operator_id).asks_code
        return self.render("console/mine.html", form=form, asked=asked, **more)


def _picture(uri: str) -> str:
    """Draw the code that phones scan, as an address of the picture itself."""
    return str(segno.make(uri, error="m").svg_data_uri(scale=5, border=4, light="#fff"))
