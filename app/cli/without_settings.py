"""Commands that run without a valid configuration: `keys generate`, and `doctor` to explain it."""

import os
from collections.abc import Sequence
from contextlib import suppress

import click
from flask import Flask

from app import languages
from app.cli.doctor import doctor
from app.cli.keys import keys
from app.doctor.findings import Deployment

# The first words of the commands.
GENERATE, DOCTOR = ("keys", "generate"), ("doctor",)


def words_of(context: click.Context | None, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return the words of a `flask` command after the options of `flask` itself.

    `context` is that of the running command, and `arguments` are those of the process. The words
    are empty if no command is running.
    """
    if context is None:
        return ()
    with suppress(click.ClickException):
        root = context.find_root()
        parser = root.command.make_parser(root)
        return tuple(parser.parse_args(list(arguments))[1])
    return ()


def new_app(error: Exception | None = None) -> Flask:
    """Return an app with these commands only, without database and configuration.

    `error` is what is wrong with the configuration, for `doctor`.
    """
    app = Flask("app", static_folder=None)
    languages.init_app(app)
    app.extensions["deployment"] = Deployment(dict(os.environ), None, error)
    app.cli.add_command(keys)
    app.cli.add_command(doctor)
    return app
