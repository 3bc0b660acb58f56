"""What slugs, appids, WeChat's secrets and limits look like, wherever an operator enters them."""

import re

LONGEST_SLUG = 40
SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
HIGHEST_SESSION_LIMIT = 1000
APPID = re.compile(r"[A-Za-z0-9_-]{1,64}")

# What WeChat's console gives, and, of its Token, what it takes.
APP_SECRET = re.compile(r"[!-~]{1,128}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")

# Who holds an operator's password holds a tenant's users.
SHORTEST_OPERATOR_PASSWORD = 12
