"""Reads with one statement per tenant."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Integer, Select, case, cast, func, select
from sqlalchemy.exc import OperationalError

from app.models import SocialAccount, WeChatApp
from app.services.apps.tenants import tenant_id_of
from app.services.database import tenant_reads
from app.services.database.tenant_reads import (
    TENANT_ID,
    read_tenant_ids,
    select_per_tenant,
    tenants_with_rows,
)
from app.services.database.transactions import transaction
from tests.fixtures.personas import ACME_SHOP, GLOBEX_LIFE, Client, Person


@pytest.fixture
def context(app: Flask) -> Iterator[None]:
    """An app context."""
    with app.app_context():
        yield


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize("at_once", [1, 2, 50])
def test_each_tenant_is_read_with_a_statement_of_its_own(
    client: Client, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(tenant_reads, "FEW_AT_ONCE", at_once)
    client.log_in(alice, ACME_SHOP)
    client.log_in(bob, ACME_SHOP)
    client.log_in(alice, GLOBEX_LIFE)
    counting = select(func.count()).where(SocialAccount.tenant_id == TENANT_ID)
    acme, globex, unknown = tenant_id_of("acme"), tenant_id_of("globex"), uuid4()
    with transaction() as db:
        assert {acme, globex} == {*read_tenant_ids(db)}
        found = select_per_tenant(db, counting, [acme, globex, unknown])
        assert [*found] == [(acme, [(2,)]), (globex, [(1,)]), (unknown, [(0,)])]


@pytest.mark.usefixtures("context")
def test_statements_may_contain_lists_and_other_parameters(client: Client, alice: Person) -> None:
    client.log_in(alice, ACME_SHOP)
    appids = SocialAccount.appid.in_([ACME_SHOP.appid, GLOBEX_LIFE.appid])
    some = select(SocialAccount.openid).where(SocialAccount.tenant_id == TENANT_ID, appids)
    acme, globex = tenant_id_of("acme"), tenant_id_of("globex")
    assert [*tenants_with_rows(some.limit(1), [acme, globex])] == [acme]


def failing_for(tenant_id: UUID) -> Select[str]:
    """Return a statement that fails for one tenant and finds the apps of any other."""
    number = cast(case((tenant_id == TENANT_ID, "x"), else_="1"), Integer)
    return select(WeChatApp.appid).where(WeChatApp.tenant_id == TENANT_ID, number == 1)


@pytest.mark.usefixtures("context")
def test_after_an_error_all_tenants_of_the_same_round_trip_are_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tenant_reads, "FEW_AT_ONCE", 2)
    acme, globex, unknown = tenant_id_of("acme"), tenant_id_of("globex"), uuid4()
    failing = failing_for(acme)
    tenants = [unknown, globex, acme, unknown, unknown, globex]
    found = [globex, acme, unknown, globex]
    assert [*tenants_with_rows(failing, tenants)] == found


@pytest.mark.real_commits
@pytest.mark.usefixtures("context")
def test_lost_connection_is_an_error() -> None:
    """The caller would otherwise wait for a connection once per tenant."""
    ending = select(func.pg_terminate_backend(func.pg_backend_pid())).where(uuid4() != TENANT_ID)
    with pytest.raises(OperationalError):
        [*tenants_with_rows(ending, [uuid4()])]
    with transaction() as db:
        assert len(read_tenant_ids(db)) == 2
