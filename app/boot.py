"""Checks at start-up, before the first request."""

import psycopg
import structlog
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.errors import Failure
from app.extensions import db
from app.languages import in_both_languages
from app.services.database.server_checks import check_pooler
from app.services.encryption.key_proofs import check_keys
from app.services.encryption.readiness import check_readiness
from config import Config

log = structlog.get_logger()


class BootRefused(Exception):
    """The service must not start. The message contains the reason and the remedy."""


def warn_of_trusted_network(config: Config) -> None:
    """Log a warning if production may connect to the database without TLS."""
    if config.production and config.database_tls == "trusted-network":
        log.warning("database_without_tls", setting="DATABASE_TLS=trusted-network")


def check_database(app: Flask) -> None:
    """Raise BootRefused for an undeclared pooler, or keys that do not match their proofs.

    If the database is unreachable or has no tables, the service starts and logs the reason. /readyz
    then responds with 503, and repeats the checks once the database is ready.
    """
    with app.app_context():
        try:
            check_pooler()
            check_keys()
        except Failure as failure:
            raise _refusal(failure.about, failure) from None
        except (SQLAlchemyError, psycopg.Error) as error:
            # A message of libpq or PostgreSQL about statements without personal data.
            reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            log.warning("database_unchecked", cause=type(error).__name__, reason=reason)
        finally:
            # The web server may fork this process, which must have no open connection then.
            db.engine.dispose()


def refuse_unready(app: Flask) -> None:
    """Raise BootRefused unless `/readyz` would answer 200.

    Processes that replace running ones must not take over requests that they cannot serve.
    """
    with app.app_context():
        try:
            check_readiness()
        except Failure as failure:
            raise _refusal(failure.code, failure) from None
        finally:
            db.engine.dispose()


def _refusal(subject: str, failure: Failure) -> BootRefused:
    message = in_both_languages(failure.en, parameters=failure.parameters)
    return BootRefused(f"{subject}: {message}")
