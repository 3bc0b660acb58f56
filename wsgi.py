"""What gunicorn and `flask --app wsgi` run."""

import os
import sys

from app import create_app
from config import ConfigError, development, load_config

environ = dict(os.environ)
try:
    development.fill(environ)
    app = create_app(load_config(environ))
except ConfigError as error:
    sys.exit(str(error))
