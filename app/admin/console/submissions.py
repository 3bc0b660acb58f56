"""Form processing of views: show a form, run its action, show the result or the failure."""

from collections.abc import Callable
from typing import TypeVar

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm

from app.errors import Failure, RoleTooLow
from app.problems import failure_of

T = TypeVar("T")
# Renders the page of a form. The argument is the failure of the action, or None.
ShowPage = Callable[[Failure | None], ResponseReturnValue]


def is_submitted() -> bool:
    """Return whether the request submits a form.

    Views must not compare with GET instead. Flask also accepts HEAD, which has no CSRF check.
    """
    return request.method == "POST"


def show_until_valid(
    form: FlaskForm,
    submit: Callable[[], ResponseReturnValue],
    show: Callable[[], ResponseReturnValue],
) -> ResponseReturnValue:
    """Return the response of `submit` if a valid form was submitted, otherwise that of `show`."""
    return submit() if form.validate_on_submit() else show()


def run_or_show_failure(
    action: Callable[[], T], respond: Callable[[T], ResponseReturnValue], show: ShowPage
) -> ResponseReturnValue:
    """Run an action and respond to its result, or show its failure on the page.

    RoleTooLow is raised, because an operator with a low role may not see the page.
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
    """Flash a success message and return a redirect."""
    flash(message, "done")
    return redirect(to)


def redirect_when_done(to: str, message: str) -> Callable[[object], ResponseReturnValue]:
    """Return a `respond` function that ignores the result, flashes a message and redirects."""
    return lambda _: done(to, message)
