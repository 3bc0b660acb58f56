"""What slugs, appids, WeChat's secrets and limits look like, wherever an operator enters them."""

import re

LONGEST_SLUG = 40
SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
HIGHEST_SESSION_LIMIT = 1000
# What WeChat gives, required of every appid that is entered.
NEW_APPID = re.compile(r"wx[0-9A-Za-z]{16}")
# Also what was entered before that was required, and the keys of released apps.
APP_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}(~[0-9]{20})?")

# What WeChat's console gives, and, of its Token, what it takes.
APP_SECRET = re.compile(r"[!-~]{1,128}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")

# Who holds an operator's password holds a tenant's users.
SHORTEST_OPERATOR_PASSWORD = 12
