"""The state of the service, as the landing page shows it."""

from app.errors import Failure
from app.problems import message_on_page
from app.services.encryption.readiness import check_readiness


def find_problem() -> str | None:
    """Return why `/readyz` would answer 503, in the language of the page, or None if it is ready.

    Requests that arrive at the same time share one check with each other and with `/readyz`.
    """
    try:
        check_readiness()
    except Failure as failure:
        return message_on_page(failure)
    return None
