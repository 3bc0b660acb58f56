"""Who calls, as a login token tells."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """Whose login token a request carries; unbound while `user_id` is None."""

    session_id: UUID
    tenant_id: UUID
    tenant_slug: str
    appid: str
    social_account_id: UUID | None
    user_id: UUID | None
    token_hash: bytes = field(repr=False)
