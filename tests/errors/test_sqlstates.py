"""The names of violated constraints, also in a distributed database."""

import psycopg
import pytest
from flask import Flask
from psycopg.errors import ForeignKeyViolation, UniqueViolation
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app.errors.sqlstates import violated_constraint
from app.extensions import db


class OfWorker:
    """The diagnostics of an error from another node, which have only a message."""

    constraint_name = None

    def __init__(self, message: str) -> None:
        self.message_primary = message


@pytest.mark.parametrize(
    ("kind", "message", "name"),
    [
        (
            UniqueViolation,
            'duplicate key value violates unique constraint "uq_users_tenant_id_account_102058"',
            "uq_users_tenant_id_account",
        ),
        (
            UniqueViolation,
            "重复键违反唯一约束“pk_code_exchanges_10205812”",
            "pk_code_exchanges",
        ),
        (
            ForeignKeyViolation,
            'insert or update on table "phones_102061" violates foreign key constraint'
            ' "fk_phones_tenant_id_user_id_users_102061"',
            "fk_phones_tenant_id_user_id_users",
        ),
        (psycopg.OperationalError, 'the connection to "uq_host_1" failed', None),
    ],
)
def test_violated_constraint_of_another_node_is_found_in_the_message(
    kind: type[psycopg.Error], message: str, name: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = kind(message)
    monkeypatch.setattr(kind, "diag", OfWorker(message))
    assert violated_constraint(error) == name


def test_violated_constraint_of_a_single_server_is_named_in_the_diagnostics(app: Flask) -> None:
    with app.app_context(), pytest.raises(DBAPIError) as caught:
        db.session.execute(
            text("INSERT INTO tenants (id, slug, name) SELECT id, slug, name FROM tenants")
        )
    assert violated_constraint(caught.value) == "pk_tenants"
    assert violated_constraint(ValueError("uq_users_tenant_id_account")) is None
