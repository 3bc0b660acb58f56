"""What people and an operator do before and after a backup."""

from dataclasses import dataclass, field
from typing import Any

from tests.fixtures.passwords import GOOD_PASSWORD
from tests.fixtures.personas import Person
from tests.restore.phone import Phone

OPERATOR_EMAIL = "ann@acme.example"
ACCOUNT = {"account": "milton", "password": GOOD_PASSWORD}


@dataclass
class Story:
    """People, and the logins that they got from the first server."""

    people: dict[str, Person]
    logins: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    events: int = 0


def tell_story(phone: Phone) -> Story:
    """Log people in. Their names say what they do after the backup."""
    names = ("stays", "refreshes", "leaves", "left", "milton", "arrives")
    people = [
        Person(phone.wechat, name, f"1380013810{number}") for number, name in enumerate(names)
    ]
    story = Story(dict(zip(names, people, strict=True)))
    for name in ("stays", "refreshes", "leaves", "left"):
        story.logins[name] = phone.bind(story.people[name])
    story.logins["stays"] |= phone.refresh(story.logins["stays"]).json()
    story.logins["milton"] = phone.log_in(story.people["milton"], **ACCOUNT)
    assert story.logins["milton"]["bound"]
    assert phone.post("logout", story.logins["left"]["token"]).status_code == 204
    story.codes["before"] = story.people["stays"].wx_login()
    assert phone.post("login", code=story.codes["before"]).status_code == 200
    story.logins["operator"] = phone.sign_in(OPERATOR_EMAIL)
    story.events = len(audit_events(phone, story))
    return story


def continue_story(phone: Phone, story: Story) -> None:
    """Do what the backup does not contain."""
    story.logins["refreshed"] = phone.refresh(story.logins["refreshes"]).json()
    assert phone.me(story.logins["refreshed"]["token"]).ok
    assert phone.post("logout", story.logins["leaves"]["token"]).status_code == 204
    story.logins["arrives"] = phone.bind(story.people["arrives"])
    story.codes["after"] = story.people["stays"].wx_login()
    assert phone.post("login", code=story.codes["after"]).status_code == 200


def audit_events(phone: Phone, story: Story) -> list[Any]:
    """Return the tenant's audit events as the operator sees them."""
    token = story.logins["operator"]["access_token"]
    response = phone.send("GET", "/v1/admin/tenants/acme/audit", token)
    assert response.ok, response.text
    return list(response.json())
