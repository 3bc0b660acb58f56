"""Tags that group the operations, in the order in which a reader needs them."""

from typing import NamedTuple

LOGIN = "Login"
BINDING = "Phone and binding"
SESSION = "Session"
MY_ACCOUNT = "My account"
VERIFICATION = "Verification"
HEALTH = "Health"
ADMIN_SIGN_IN = "Admin: sign-in"
ADMIN_ACCOUNT = "Admin: own account"
ADMIN_APPS = "Admin: mini-programs"
ADMIN_USERS = "Admin: users"
ADMIN_IMPORTS = "Admin: import and export"
ADMIN_RECORDS = "Admin: statistics, sessions and audit log"
ADMIN_ALERTS = "Admin: alerts"
ADMIN_TENANTS = "Admin: tenants"
ADMIN_OPERATORS = "Admin: operators"


class Tag(NamedTuple):
    """A tag of the OpenAPI document."""

    name: str
    description: str


TAGS = (
    Tag(
        LOGIN,
        "Log a person in from a mini-program. Start here: send the code of `wx.login` and keep the"
        " login token.",
    ),
    Tag(
        BINDING,
        "Turn an unbound login into a bound one: verify a phone number, or enter account and"
        " password. Also stores the nickname and avatar of the WeChat identity.",
    ),
    Tag(SESSION, "Keep a login alive with the refresh token, list logins, and end them."),
    Tag(
        MY_ACCOUNT,
        "The profile, password and personal data of the logged-in user. A user can export the data"
        " and close the account.",
    ),
    Tag(
        VERIFICATION,
        "For back ends and proxies: find out which user a login token belongs to, or let them"
        " verify a JWT without calling wxpass.",
    ),
    Tag(HEALTH, "Probes for load balancers and orchestrators. They need no token."),
    Tag(
        ADMIN_SIGN_IN,
        "Operators sign in here and get the JWT that every other operation of the admin API needs.",
    ),
    Tag(
        ADMIN_ACCOUNT,
        "The signed-in operator's own password, sessions, one-time codes and recovery codes.",
    ),
    Tag(
        ADMIN_APPS,
        "The mini-programs of a tenant: add an appid with its AppSecret, verify it with WeChat,"
        " and change its settings and secrets.",
    ),
    Tag(
        ADMIN_USERS,
        "The users of a tenant: find, add, disable and merge them, and remove phone numbers and"
        " WeChat identities.",
    ),
    Tag(
        ADMIN_IMPORTS,
        "Add many users from a spreadsheet, in two steps: preview and confirmation. Or download"
        " users as CSV.",
    ),
    Tag(
        ADMIN_RECORDS,
        "What happened in a tenant: login statistics, login sessions, and the audit log of every"
        " change.",
    ),
    Tag(
        ADMIN_ALERTS,
        "Messages about failing logins by e-mail, group robot or webhook: the channels of a tenant"
        " or of the platform, the alerts, and mutes.",
    ),
    Tag(ADMIN_TENANTS, "For platform admins: the organisations that share this service."),
    Tag(
        ADMIN_OPERATORS,
        "For platform admins: the people who use the console and the admin API, and the platform"
        " audit log.",
    ),
)
