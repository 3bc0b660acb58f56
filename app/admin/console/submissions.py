"""What a view does with a form: show it, run the action of a valid one, show the failure."""

from collections.abc import Callable
from typing import TypeVar

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.errors import Failure, RoleTooLow
from app.problems import failure_of

T = TypeVar("T")
# Renders the page of a form, with the failure of its action if there is one.
ShowPage = Callable[[Failure | None], ResponseReturnValue]


def is_submitted() -> bool:
    """Return whether the request submits a form.

    A view must not ask for GET instead: Flask adds HEAD to its route, which has no CSRF check.
    """
    return request.method == "POST"


def show_until_valid(
    form: FlaskForm,
    submit: Callable[[], ResponseReturnValue],
    show: Callable[[], ResponseReturnValue],
) -> ResponseReturnValue:
    """Return the response of `submit` if a valid form is submitted, else the form's page."""
    return submit() if form.validate_on_submit() else show()


def run_or_show_failure(
    action: Callable[[], T], respond: Callable[[T], ResponseReturnValue], show: ShowPage
) -> ResponseReturnValue:
    """Run an action and respond to its result, or show its failure on the page.

    RoleTooLow is raised: an operator who may not do it is not shown the page again.
    """
    try:
        result = action()
    except RoleTooLow:
        raise
    except Failure as failure:
        return show(failure_of(failure))
    return respond(result)


def process_form(
    form: FlaskForm,
    action: Callable[[], T],
    respond: Callable[[T], ResponseReturnValue],
    show: ShowPage,
) -> ResponseReturnValue:
    """Show a form until it is valid, run its action and respond to the result.

    A failure of the action is shown above the form, which keeps its values.
    """
    return show_until_valid(
        form, lambda: run_or_show_failure(action, respond, show), lambda: show(None)
    )


def done(to: str, message: str) -> ResponseReturnValue:
    """Redirect to a page that shows a success message."""
    flash(message, "done")
    return redirect(to)


def redirect_when_done(to: str, message: str) -> Callable[[object], ResponseReturnValue]:
    """Return a response to any result: a redirect to a page that shows a success message."""
    return lambda _: done(to, message)
