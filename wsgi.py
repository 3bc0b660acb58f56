"""What gunicorn and `flask --app wsgi` run."""

import gc
import os
import sys

from app import create_app
from config import ConfigError, development, load_config

# gunicorn stops as a whole for this code; for any other it starts the worker again, for ever.
BOOT_FAILED = 3

environ = dict(os.environ)
try:
    development.fill(environ)
    app = create_app(load_config(environ))
except ConfigError as error:
    print(error, file=sys.stderr)
    sys.exit(BOOT_FAILED)

# What is loaded by now stays: the collector need not look through it every time, nor at the exit.
gc.freeze()
