"""Command groups of the operator CLI: `flask --app wsgi GROUP COMMAND --help`."""

from flask import Flask
from flask_migrate.cli import db

from app.cli.alerts import alerts
from app.cli.apps import apps
from app.cli.audit import audit
from app.cli.demo import demo
from app.cli.distribute import distribute_database
from app.cli.doctor import doctor
from app.cli.jobs import jobs
from app.cli.jwt_keys import jwt_keys
from app.cli.keys import keys
from app.cli.operators import operators
from app.cli.pushes import pushes
from app.cli.retention import retention
from app.cli.tenants import tenants
from app.cli.users import users
from app.cli.version import version


def register(app: Flask) -> None:
    """Add every command group to Flask's CLI."""
    groups = (tenants, apps, users, operators, pushes, audit, retention, jobs)
    for command in (*groups, alerts, keys, jwt_keys, demo, doctor, version):
        app.cli.add_command(command)
    db.add_command(distribute_database)
