"""Registration policies of a mini-program: when a person becomes a user.

`linking_policy.REGISTERING_EVIDENCE` defines what each policy does.
"""

REGISTRATION_POLICIES = ("on_login", "on_phone", "closed")
DEFAULT_REGISTRATION = "on_phone"
