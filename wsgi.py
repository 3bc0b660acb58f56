"""WSGI entry point for gunicorn and `flask --app wsgi`."""

import gc
import sys

# Objects created at startup are never released, so collecting garbage would only cost time.
gc.disable()

import click
from flask import Flask

from app import create_app
from app.boot import BootRefused, check_database, refuse_unready, warn_of_trusted_network
from app.cli import without_settings
from app.doctor.findings import Deployment
from app.services.alerts import sending
from app.services.cache import invalidation_listener
from app.services.metrics import count_writer
from app.services.operators import failed_sign_ins
from app.services.sessions import last_seen
from config import ConfigError, development, load_config
from config.database_tls import require_database_tls
from config.secret_files import load_environment

# gunicorn shuts down when a worker exits with this code. For any other code it restarts the worker.
BOOT_FAILED = 3

# The boot checks are skipped for commands, because some commands repair what the checks reject.
# `flask run` is no such command: it serves requests.
command = click.get_current_context(silent=True)
is_command = command is not None and command.info_name != "run"
words = without_settings.words_of(command, sys.argv[1:])


def new_app() -> Flask:
    """Return the app for this process. Raise ConfigError or BootRefused."""
    environ = load_environment()
    development.fill(environ)
    config = load_config(environ)
    require_database_tls(config, environ)
    app = create_app(config)
    if words[:1] == without_settings.DOCTOR:
        app.extensions["deployment"] = Deployment(environ, config)
    # A replacement worker skips the boot checks: a failure would stop the running workers too.
    if environ.get("WXPASS_WORKER") == "replacement":
        app.extensions["keys_fit"] = app.extensions["pooler_fits"] = True
    elif not is_command:
        warn_of_trusted_network(config)
        check_database(app)
        # gunicorn sets this in the processes that replace running ones (config/handover.py).
        if "GUNICORN_PID" in environ:
            refuse_unready(app)
    count_writer.write_regularly(app)
    last_seen.write_regularly(app)
    failed_sign_ins.write_regularly(app)
    invalidation_listener.listen_regularly(app)
    return app


try:
    app = without_settings.new_app() if words[:2] == without_settings.GENERATE else new_app()
    if not is_command:
        sending.run_regularly(app)
except (ConfigError, BootRefused) as error:
    if words[:1] != without_settings.DOCTOR:
        print(error, file=sys.stderr)
        sys.exit(BOOT_FAILED)
    app = without_settings.new_app(error)

# Exclude the objects loaded at boot from garbage collection, because they are never released.
gc.freeze()
gc.enable()
