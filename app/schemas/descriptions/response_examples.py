"""Response examples of single operations: the fields that differ from the examples of the schema.

Pass them as `example` to `blp.response`. See `composed` in app/api/openapi/examples.py.
"""

from typing import Any

from app.schemas.descriptions import examples

Differences = dict[str, Any]

UNBOUND_LOGIN: Differences = {"refresh_token": None, "bound": False, "user": None}
PASSWORD_LOGIN: Differences = {"openid": None, "unionid": None}

NEW_APP: Differences = {
    "next_secret": None,
    "verdict": {
        "which": "current",
        "outcome": "right",
        "errcode": None,
        "advice": "WeChat accepts appid and AppSecret.",
    },
    "checked_at": None,
}
# One-time codes and the time of the last sign-in stay after a reset.
RESET_OPERATOR: Differences = {"operator": {"is_invited": True}}
INVITED_OPERATOR: Differences = {
    "operator": {"is_invited": True, "asks_code": False, "signed_in_at": None}
}
DISABLED_OPERATOR: Differences = {"status": "disabled"}
PLATFORM_EVENTS: Differences = {
    "items": [
        {
            "action": "operator.invited",
            "subject": examples.OPERATOR_ID,
            "details": {"after": {"role": "platform"}},
        }
    ]
}
GOOD_PREVIEW: Differences = {"bad": []}

NEW_USER: Differences = {
    "user": {"avatar_url": None, "last_login_at": None, "last_login_address": None},
    "identities": [],
    "sessions": [],
    "merges": [],
    "events": [
        {"action": "user.added", "details": {"after": {"account": "set", "phone": "set"}}},
    ],
}
DISABLED_USER: Differences = {
    "user": {"status": "disabled"},
    "sessions": [{"living": False, "ended_at": examples.NOW, "end_reason": "user_disabled"}],
}
# The merge of a user into another user. The response of the merge shows the other user, the
# response that undoes it the user.
MERGE: Differences = {
    "merged_user_id": examples.USER_ID,
    "user_id": examples.OTHER_USER_ID,
    "merged_at": examples.NOW,
}
MERGED_USER: Differences = {
    "user": {"id": examples.OTHER_USER_ID},
    "sessions": [],
    "merges": [MERGE],
    "events": [
        {
            "action": "user.added",
            "subject": examples.OTHER_USER_ID,
            "details": {"after": {"account": "set", "password": "set"}},
        }
    ],
}
RESTORED_USER: Differences = {
    "sessions": [{"living": False, "ended_at": examples.NOW, "end_reason": "merged"}],
    "merges": [MERGE],
    "events": [
        {
            "action": "user.merge_undone",
            "details": {
                "out_of": examples.OTHER_USER_ID,
                "before": {"status": "merged"},
                "after": {"status": "active"},
            },
        }
    ],
}
