"""WSGI entry point for gunicorn and `flask --app wsgi`."""

import gc
import sys

# Objects created at startup are never released, so collecting garbage would only cost time.
gc.disable()

import click

from app import create_app
from app.boot import BootRefused, check_database, refuse_unready, warn_of_trusted_network
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
try:
    environ = load_environment()
    # A replacement worker skips the boot checks: a failure would stop the running workers too.
    is_replacement = environ.get("WXPASS_WORKER") == "replacement"
    # gunicorn sets this in the processes that replace running ones (config/handover.py).
    replaces_running_processes = "GUNICORN_PID" in environ
    development.fill(environ)
    config = load_config(environ)
    require_database_tls(config, environ)
    app = create_app(config)
    if is_replacement:
        app.extensions["keys_fit"] = app.extensions["pooler_fits"] = True
    elif not is_command:
        warn_of_trusted_network(config)
        check_database(app)
        if replaces_running_processes:
            refuse_unready(app)
    count_writer.write_regularly(app)
    last_seen.write_regularly(app)
    failed_sign_ins.write_regularly(app)
    invalidation_listener.listen_regularly(app)
except (ConfigError, BootRefused) as error:
    print(error, file=sys.stderr)
    sys.exit(BOOT_FAILED)

# Exclude the objects loaded at boot from garbage collection, because they are never released.
gc.freeze()
gc.enable()
