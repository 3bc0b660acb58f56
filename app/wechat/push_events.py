"""Parsing of pushed messages and events (事件通知), including the compliance events."""

import json
import re
from dataclasses import dataclass, field

from app.wechat.damaged_text import MARK, undamaged
from app.wechat.errors import IncompletePush, MalformedPush
from app.wechat.json_fields import JsonObject, WrongShape
from app.wechat.push_content import digest_of
from app.wechat.push_fields import number_of, parse_fields, value_of

# 授权用户信息变更. Their FromUserName is a sender id of the platform, the same for all people.
COMPLIANCE_EVENTS = frozenset(
    {"user_authorization_revoke", "user_authorization_cancellation", "user_info_modified"}
)
OPENID = re.compile(r"open_?id$", re.IGNORECASE)
# Fields of other events are not documented as openids, so their values must look like ids.
SHAPE = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Push:
    """A message pushed by WeChat. A field that the message lacks is None.

    `event` is the Event field, or else the MsgType or action field. `openid` is the OpenID field of
    a compliance event, in which `from_user` is the platform. `other_openid` is the openid of
    another event. `revoke_info` is the RevokeInfo field as written. `open_pid` is the id of the
    person in the plugin `plugin_id`. `message` is the whole text without damaged characters.
    `digest` is the hash of all fields, independent of order and format.
    """

    event: str
    created_at: int | None
    msg_id: str | None
    from_user: str | None = field(repr=False)
    openid: str | None = field(repr=False)
    other_openid: str | None = field(repr=False)
    unionid: str | None = field(repr=False)
    appid: str | None
    revoke_info: str | None
    plugin_id: str | None
    open_pid: str | None = field(repr=False)
    message: str = field(repr=False)
    digest: str = field(repr=False)

    @property
    def person(self) -> str | None:
        """The openid of the person that the message concerns: its openid field, or else the sender.

        For a compliance event the sender is never used, because it is the platform.
        """
        if self.openid is not None or self.event in COMPLIANCE_EVENTS:
            return self.openid
        return self.other_openid or self.from_user

    @property
    def revoke_infos(self) -> tuple[int, ...]:
        """The numbers of the types of information for which consent was withdrawn.

        Empty if `revoke_info` is missing or is not a comma-separated list of numbers.
        """
        if not re.fullmatch(r"\d{1,9}( ?, ?\d{1,9})*", self.revoke_info or ""):
            return ()
        return tuple(int(number) for number in (self.revoke_info or "").split(","))

    @property
    def key(self) -> str:
        """The deduplication key of the message within its app. Repeated deliveries share the key.

        The key contains the MsgId or, without one, the digest of all fields. WeChat's page on
        messages (接收普通消息) suggests sender and time, but different events of one second share
        both.
        """
        if self.msg_id is not None:
            return json.dumps(["MsgId", self.msg_id])
        return json.dumps(["content", self.digest])

    @property
    def previous_key(self) -> str | None:
        """The deduplication key that earlier releases stored for a compliance event.

        None for other messages, because their earlier keys were not unique.
        """
        if self.msg_id is not None or self.event not in COMPLIANCE_EVENTS:
            return None
        if self.created_at is None:
            return json.dumps([self.event, self.message])
        about = [self.event, self.created_at, self.openid]
        return json.dumps([*about, self.revoke_info, self.plugin_id, self.open_pid])


def _other_openid(fields: JsonObject) -> str | None:
    """Return the openid in a field with another name, such as OpenId, openid or payer_openid."""
    names = (name for name in fields if name != "OpenID" and OPENID.search(name))
    values = (value for name in names if isinstance(value := fields[name], str))
    texts = (undamaged(value).strip() for value in values)
    return next((text for text in texts if SHAPE.fullmatch(text)), None)


def read_push(message: str) -> Push:
    """Parse a verified message. Raise MalformedPush or IncompletePush."""
    try:
        fields = parse_fields(message.encode())
        digest = digest_of(fields)
    except (WrongShape, RecursionError):
        raise MalformedPush from None
    try:
        return _read(fields, message, digest)
    except WrongShape as wrong:
        raise IncompletePush(reason=f"missing or wrong: {wrong}") from None


def _read(fields: JsonObject, message: str, digest: str) -> Push:
    kinds = (value_of(fields, name) for name in ("Event", "MsgType", "action"))
    event = next((kind for kind in kinds if kind), None)
    if event is None:
        raise WrongShape("Event")
    return Push(
        event=event,
        created_at=number_of(fields, "CreateTime"),
        msg_id=value_of(fields, "MsgId"),
        from_user=value_of(fields, "FromUserName"),
        openid=value_of(fields, "OpenID"),
        other_openid=_other_openid(fields),
        unionid=value_of(fields, "UnionID"),
        appid=value_of(fields, "AppID"),
        revoke_info=value_of(fields, "RevokeInfo"),
        plugin_id=value_of(fields, "PluginID"),
        open_pid=value_of(fields, "OpenPID"),
        message=message.replace(MARK, ""),
        digest=digest,
    )
