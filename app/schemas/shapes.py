"""Patterns of slugs, appids and WeChat secrets, and numeric limits."""

import re

LONGEST_SLUG = 40
SLUG = re.compile(r"[a-z0-9](-?[a-z0-9])*")
HIGHEST_SESSION_LIMIT = 1000
HIGHEST_CALL_LIMIT = 10_000
# The pattern of appids that WeChat issues. New apps must match it.
NEW_APPID = re.compile(r"wx[0-9A-Za-z]{16}")
# Also matches older apps with other appids, and the keys of released apps.
APP_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}(~[0-9]{20})?")

# The formats used in WeChat's console.
APP_SECRET = re.compile(r"[!-~]{1,128}")
PUSH_TOKEN = re.compile(r"[A-Za-z0-9]{3,32}")
ENCODING_AES_KEY = re.compile(r"[A-Za-z0-9]{43}")

# An error code, or an error code and WeChat's errcode.
ALERT_CONDITION = re.compile(r"[a-z_]{1,40}(:-?[0-9]{1,8})?")
LONGEST_MUTE_HOURS = 720

# Longer than for users: an operator's password protects all users of a tenant.
SHORTEST_OPERATOR_PASSWORD = 12
