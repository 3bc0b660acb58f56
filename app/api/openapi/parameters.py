"""Descriptions and examples of path parameters, by name."""

from app.schemas.descriptions import examples

PATH_PARAMETERS = {
    "appid": (
        "The appid of the mini-program, from WeChat's console. The mini-program must be active in"
        " wxpass.",
        examples.APPID,
    ),
    "its_appid": ("The appid of a mini-program of the tenant.", examples.APPID),
    "slug": (
        "The short name of the tenant in URLs. Operators of a tenant can use only their own.",
        examples.SLUG,
    ),
    "its_slug": ("The short name of the tenant to change.", examples.SLUG),
    "user_id": ("The id of a user of the tenant.", examples.USER_ID),
    "identity_id": ("The id of a WeChat identity of the user.", examples.IDENTITY_ID),
    "session_id": ("The id of a session, from the list of sessions.", examples.SESSION_ID),
    "import_id": ("The `import_id` of the preview.", examples.IMPORT_ID),
    "channel_id": ("The id of a channel, from the list of channels.", examples.CHANNEL_ID),
    "alert_id": ("The id of an alert, from the list of alerts.", examples.ALERT_ID),
    "mute_id": ("The id of a mute, from the list of mutes.", examples.MUTE_ID),
    "operator_id": ("The id of an operator, from the list of operators.", examples.OPERATOR_ID),
}
# Back ends call these paths. Their parameters name the audience of a login token.
OF_PATH = {
    "/v1/apps/{appid}/verify": (
        "The appid of the only accepted mini-program. Tokens of other mini-programs get 403.",
        examples.APPID,
    ),
    "/v1/tenants/{slug}/verify": (
        "The slug of the only accepted tenant. Tokens of other tenants get 403.",
        examples.SLUG,
    ),
}


def path_parameter(path: str, name: str) -> tuple[str, str]:
    """Return the description and the example of a path parameter."""
    return OF_PATH.get(path) or PATH_PARAMETERS[name]
