"""The demo operator: what the staff of a tenant do in the console, through the admin API."""

from typing import Any

from app.simulator.demo.service import Reply, Request, Service
from config.development.demo import OPERATOR


class OperatorRefused(Exception):
    """The service refused an action of the demo operator. The text is for the developer."""


class DemoOperator:
    """The demo operator, signed in when the first action needs it."""

    def __init__(self, service: Service) -> None:
        self._service, self._jwt = service, ""

    def end_session(self, tenant: str, session_id: str) -> None:
        """End a login session."""
        path = f"/v1/admin/tenants/{tenant}/sessions/{session_id}"
        self._act("end-session", "DELETE", path)

    def add_customer(self, tenant: str, phone: str, nickname: str) -> None:
        """Add a user with a phone number."""
        content = {"phone": phone, "nickname": nickname}
        self._act("add-customer", "POST", f"/v1/admin/tenants/{tenant}/users", content)

    def read_audit_log(self, tenant: str) -> list[dict[str, str]]:
        """Return the newest events of a tenant's audit log."""
        reply = self._act("audit", "GET", f"/v1/admin/tenants/{tenant}/audit?limit=3")
        return [{"action": event["action"], "at": event["at"]} for event in reply.json["items"]]

    def _act(
        self, kind: str, method: str, path: str, content: dict[str, Any] | None = None
    ) -> Reply:
        """Send a request. Sign in first, and again if the JWT has expired."""
        for _ in range(2):
            if not self._jwt:
                self._sign_in()
            request = Request.of_json(method, path, content, self._jwt)
            reply = self._service.send("console", kind, request)
            if reply.status is not None and reply.status < 300:
                return reply
            if reply.status != 401:
                break
            self._jwt = ""
        raise OperatorRefused(f"{kind}: {reply.status} {reply.json}")

    def _sign_in(self) -> None:
        content = {"email": OPERATOR.email, "password": OPERATOR.password}
        request = Request.of_json("POST", "/v1/admin/sign-in", content)
        reply = self._service.send("console", "sign-in", request)
        if reply.status != 200:
            raise OperatorRefused(
                f"{OPERATOR.email} cannot sign in with the password of make run. / "
                f"{OPERATOR.email} 无法用 make run 的密码登录。"
            )
        self._jwt = reply.json["access_token"]
