"""Demo data of `make run`, for `flask demo` and the supervisor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoApp:
    """A mini-program in the service and in the simulator, with the secrets of its message push."""

    appid: str
    name: str
    secret: str
    registration_policy: str
    open_platform: str
    push_token: str
    encoding_aes_key: str


@dataclass(frozen=True)
class DemoUser:
    """A user of the tenant. `phone` is in E.164."""

    account: str
    password: str
    phone: str


@dataclass(frozen=True)
class DemoTenant:
    """An organisation with its mini-programs and users."""

    slug: str
    name: str
    apps: tuple[DemoApp, ...]
    users: tuple[DemoUser, ...]


@dataclass(frozen=True)
class DemoPerson:
    """A person with WeChat on a phone. `phone` is a Chinese number without country code."""

    name: str
    phone: str


@dataclass(frozen=True)
class DemoOperator:
    """A platform admin who can sign in to the console."""

    email: str
    password: str


OPERATOR = DemoOperator("demo@wxpass.example", "quiet-lantern-harbour")

TENANTS = (
    DemoTenant(
        "acme",
        "Acme 商城",
        apps=(
            DemoApp(
                "wxaaaa000000000001",
                "Acme Shop",
                "decafbadaaaa00000000000000000001",
                "on_phone",
                "acme",
                "AcmeShopPushToken",
                "AcmeShopPushKey0000000000000000000000000000",
            ),
            DemoApp(
                "wxaaaa000000000002",
                "Acme Club",
                "decafbadaaaa00000000000000000002",
                "on_login",
                "acme",
                "AcmeClubPushToken",
                "AcmeClubPushKey0000000000000000000000000000",
            ),
        ),
        users=(
            DemoUser("alice", "alice-likes-green-tea", "+8613800138001"),
            DemoUser("bob", "bob-likes-green-tea", "+8613800138002"),
        ),
    ),
    DemoTenant(
        "globex",
        "Globex 生活",
        apps=(
            DemoApp(
                "wxbbbb000000000001",
                "Globex Life",
                "decafbadbbbb00000000000000000001",
                "on_phone",
                "globex",
                "GlobexLifePushToken",
                "GlobexLifePushKey00000000000000000000000000",
            ),
        ),
        users=(DemoUser("carol", "carol-likes-green-tea", "+8613800138003"),),
    ),
)

PEOPLE = (
    DemoPerson("alice", "13800138001"),
    DemoPerson("bob", "13800138002"),
    DemoPerson("carol", "13800138003"),
    DemoPerson("dave", "13900139000"),  # not a user yet
)
