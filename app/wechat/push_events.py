"""What a pushed message says: events (事件通知), the compliance ones among them, and messages."""

import json
import re
from dataclasses import dataclass, field

from app.wechat.damaged_text import MARK, undamaged
from app.wechat.errors import IncompletePush, MalformedPush
from app.wechat.json_fields import JsonObject, WrongShape
from app.wechat.push_content import digest_of
from app.wechat.push_fields import number_of, parse_fields, value_of

# 授权用户信息变更. Their FromUserName is the platform's sender, the same for every person.
COMPLIANCE_EVENTS = frozenset(
    {"user_authorization_revoke", "user_authorization_cancellation", "user_info_modified"}
)
OPENID = re.compile(r"open_?id$", re.IGNORECASE)
# The names that other events use are no promise: what is no id is not taken for one.
SHAPE = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Push:
    """One message of WeChat's. A field that the message lacks is None.

    `event` is the Event or, for other messages, the MsgType or action. `openid` is the person of a
    compliance event, which `from_user` never is. `other_openid` is the person's openid in other
    events. `revoke_info` is what was withdrawn, as written; `open_pid` is the person's id within
    the plugin `plugin_id`. `message` is the whole text without damaged characters, `digest` the
    hash of all fields, in any order and format.
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
        """The openid of the person it is about: the named one, else the sender.

        The sender of a compliance event is the platform.
        """
        if self.openid is not None or self.event in COMPLIANCE_EVENTS:
            return self.openid
        return self.other_openid or self.from_user

    @property
    def revoke_infos(self) -> tuple[int, ...]:
        """The kinds of information that were withdrawn, separated by commas.

        Empty when `revoke_info` is not written like that: then the kinds are unknown.
        """
        if not re.fullmatch(r"\d{1,9}( ?, ?\d{1,9})*", self.revoke_info or ""):
            return ()
        return tuple(int(number) for number in (self.revoke_info or "").split(","))

    @property
    def key(self) -> str:
        """Identify the message among all of its app; a repetition has the same key.

        The key is the MsgId or, without one, the digest of the whole content. Sender and time
        alone, which WeChat's page on messages (接收普通消息) names, are shared by different events
        of one second.
        """
        if self.msg_id is not None:
            return json.dumps(["MsgId", self.msg_id])
        return json.dumps(["content", self.digest])

    @property
    def previous_key(self) -> str | None:
        """Return the key that earlier releases gave a compliance event.

        None for other messages: theirs did not tell different events apart.
        """
        if self.msg_id is not None or self.event not in COMPLIANCE_EVENTS:
            return None
        if self.created_at is None:
            return json.dumps([self.event, self.message])
        about = [self.event, self.created_at, self.openid]
        return json.dumps([*about, self.revoke_info, self.plugin_id, self.open_pid])


def _other_openid(fields: JsonObject) -> str | None:
    """Return an openid under another name than OpenID, as OpenId, openid and payer_openid are."""
    names = (name for name in fields if name != "OpenID" and OPENID.search(name))
    values = (value for name in names if isinstance(value := fields[name], str))
    texts = (undamaged(value).strip() for value in values)
    return next((text for text in texts if SHAPE.fullmatch(text)), None)


def read_push(message: str) -> Push:
    """Read a message that was verified; raises MalformedPush or IncompletePush."""
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
