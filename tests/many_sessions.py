"""Thousands of sessions of one user, written by one statement."""

from tests.cast import Reader

COPIES = """
INSERT INTO login_sessions (id, tenant_id, appid, user_id, social_account_id, was_bound,
    token_hash, expires_at, refresh_family_hash, refresh_hash, refresh_expires_at,
    device, ip, created_at, seen_at, ended_at, end_reason)
SELECT cast(
        lpad(to_hex(cast(extract(epoch FROM created_at - age.age) * 1000 AS bigint)), 12, '0')
        || substr(md5(:name || n), 1, 20) AS uuid
    ), tenant_id, appid, user_id, social_account_id, was_bound,
    sha256((:name || n)::bytea), expires_at - make_interval(days => :days),
    sha256(('family of ' || :name || n)::bytea), sha256(('refresh of ' || :name || n)::bytea),
    refresh_expires_at - make_interval(days => :days),
    device, ip, created_at - age.age, seen_at - age.age,
    CASE WHEN :is_ended THEN now() END, CASE WHEN :is_ended THEN 'logged_out' END
FROM login_sessions, generate_series(1, :how_many) AS n,
    LATERAL (SELECT make_interval(days => :days, secs => n)) AS age (age)
WHERE token_hash = sha256(cast(:token AS bytea))
"""


def copy_session(
    rows: Reader,
    token: str,
    how_many: int,
    name: str = "copy",
    *,
    days: int = 0,
    is_ended: bool = False,
) -> None:
    """Copy the session of a login token. Each copy is a second older than the one before it.

    The login token of the first copy is `<name>1`. Copies are `days` older than the original, so
    those of 30 days have expired.
    """
    rows(
        COPIES,
        token=token,
        how_many=how_many,
        name=name,
        days=days,
        is_ended=is_ended,
    )
    rows("ANALYZE login_sessions")
