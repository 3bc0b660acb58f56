"""Registration policies of a mini-program, which define when a person becomes a user.

A new policy also needs a rule in `linking_policy.REGISTERING_EVIDENCE`, a label in
`admin/console/labels.py`, and a migration of the check constraints on `wechat_apps` and
`app_claims`.
"""

REGISTRATION_POLICIES = ("on_login", "on_phone", "closed")
DEFAULT_REGISTRATION = "on_phone"
