"""What gunicorn and `flask --app wsgi` run."""

import gc
import os
import sys

import click

from app import create_app
from app.boot import BootRefused, refuse_unfit_keys, warn_of_trusted_network
from app.services.cache import invalidation_listener
from app.services.metrics import count_writer
from app.services.operators import failed_sign_ins
from app.services.sessions import last_seen
from config import ConfigError, development, load_config
from config.database_tls import require_database_tls

# gunicorn stops as a whole for this code; for any other it starts the worker again, for ever.
BOOT_FAILED = 3

environ = dict(os.environ)
# Commands ask for themselves: some are there to mend it. `flask run` serves, and asks nothing.
command = click.get_current_context(silent=True)
is_command = command is not None and command.info_name != "run"
# A worker that takes another's place must not stop those that serve.
is_replacement = environ.get("WXPASS_WORKER") == "replacement"
try:
    development.fill(environ)
    config = load_config(environ)
    require_database_tls(config, environ)
    app = create_app(config)
    if is_replacement:
        app.extensions["keys_fit"] = True
    elif not is_command:
        warn_of_trusted_network(config)
        refuse_unfit_keys(app)
    count_writer.write_regularly(app)
    last_seen.write_regularly(app)
    failed_sign_ins.write_regularly(app)
    invalidation_listener.listen_regularly(app)
except (ConfigError, BootRefused) as error:
    print(error, file=sys.stderr)
    sys.exit(BOOT_FAILED)

# What is loaded by now stays: the collector need not look through it every time, nor at the exit.
gc.freeze()
