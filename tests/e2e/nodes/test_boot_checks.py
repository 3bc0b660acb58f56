"""Addresses in DATABASE_LISTEN_URL that a start refuses, and those that `doctor` reports."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask

from app import create_app
from app.boot import BootRefused, check_database
from app.doctor import nodes as checks
from app.doctor.findings import Deployment, Finding
from app.doctor.running import run_check
from app.extensions import db
from app.services.database.server_checks import check_pooler
from config import Config
from tests.e2e.nodes.conftest import Nodes
from tests.fixtures.servers.replication import DATABASE


def app_of(config: Config) -> Flask:
    """Return the service. Its database has no tables, so the start checks the connections only."""
    return create_app(replace(config, database_pool_size=1))


def refusal_of(config: Config) -> str:
    """Return the message of a refused start."""
    app = app_of(config)
    with pytest.raises(BootRefused) as refused:
        check_database(app)
    with app.app_context():
        db.engine.dispose()
    return str(refused.value)


def findings_of(config: Config) -> list[Finding]:
    """Return what `doctor` finds about the nodes."""
    return run_check(app_of(config), checks.check_nodes, Deployment({}, config), 20)


@pytest.fixture
def without_citus(nodes: Nodes) -> Iterator[Nodes]:
    """The servers without the tables of Citus."""
    nodes.everywhere("ALTER TABLE pg_dist_node RENAME TO away")
    yield nodes
    nodes.everywhere("ALTER TABLE away RENAME TO pg_dist_node")


def test_addresses_of_all_workers_are_accepted(nodes: Nodes) -> None:
    config = nodes.settings(nodes.url(1), nodes.url(2))
    app = app_of(config)
    with app.app_context():
        check_pooler()
        assert app.extensions["pooler_fits"]
        db.engine.dispose()
    (found,) = findings_of(config)
    assert (found.level, found.code) == ("ok", "citus_nodes_listened")


def test_further_address_without_citus_is_refused(without_citus: Nodes) -> None:
    message = refusal_of(without_citus.settings(without_citus.url(1)))
    assert message.startswith("DATABASE_LISTEN_URL: Address 2 ")
    assert "Without Citus, set only one address." in message
    assert "postgresql://" not in message


def test_single_address_without_citus_needs_no_check(without_citus: Nodes) -> None:
    config = without_citus.settings()
    app = app_of(config)
    with app.app_context():
        check_pooler()
        assert app.extensions["pooler_fits"]
        db.engine.dispose()
    assert findings_of(config) == []


@pytest.mark.parametrize("wrong", ["coordinator", "database", "cluster"])
def test_address_of_no_worker_of_the_cluster_is_refused(wrong: str, nodes: Nodes) -> None:
    urls = {"coordinator": nodes.url(0), "database": nodes.url(2, "other")}
    if wrong == "database":
        nodes.servers[2](f"CREATE DATABASE other TEMPLATE {DATABASE}", database="postgres")
    if wrong == "cluster":
        nodes.servers[2]("UPDATE pg_dist_node SET nodename = 'elsewhere' WHERE groupid = 2")
    try:
        message = refusal_of(nodes.settings(nodes.url(1), urls.get(wrong, nodes.url(2))))
        assert message.startswith("DATABASE_LISTEN_URL: Address 3 ")
    finally:
        nodes.servers[2]("DROP DATABASE IF EXISTS other WITH (FORCE)", database="postgres")


def test_first_address_of_another_database_is_refused_without_a_pooler(nodes: Nodes) -> None:
    config = nodes.settings(nodes.url(2))
    urls = " ".join(reversed(config.listen_urls))
    app = app_of(replace(config, database_listen_url=urls))
    with pytest.raises(BootRefused, match="must lead to the database of DATABASE_URL"):
        check_database(app)


def test_worker_that_is_unavailable_does_not_prevent_the_start(nodes: Nodes) -> None:
    """The others serve their tenants, and the caches are off."""
    config = nodes.settings(nodes.url(1), nodes.url(2))
    app = app_of(config)
    worker = nodes.servers[2]
    worker.run("pg_ctl", "-D", str(worker.data), "-m", "immediate", "-w", "stop")
    try:
        with app.app_context():
            check_pooler()
            assert app.extensions["pooler_fits"]
            db.engine.dispose()
        assert {one.code for one in findings_of(config)} == {
            "citus_node_unreachable",
            "citus_nodes_unlistened",
        }
    finally:
        worker.start()


def test_doctor_names_the_worker_without_an_address(nodes: Nodes) -> None:
    (found,) = findings_of(nodes.settings(nodes.url(1)))
    assert (found.level, found.code) == ("error", "citus_nodes_unlistened")
    assert "node2.internal:5432" in found.what.en
    assert "node2.internal:5432" in found.what.zh
    assert found.remedy is not None
    assert "DATABASE_LISTEN_URL" in found.remedy.en
