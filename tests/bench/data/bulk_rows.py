"""Rows of many people, built by PostgreSQL in one statement. They cannot log in.

They have the sizes and distribution of real rows, but random tokens and openids, and texts that
only look encrypted. The people who send requests are written by `written_rows`.
"""

from dataclasses import dataclass

import psycopg

from tests.bench.data.people import APPIDS, FIRST_CREATED_MS, SECONDS_BETWEEN, TENANT_IDS
from tests.bench.data.written_rows import DEVICE

# Of each ten people: those with a nickname, with a verified phone number, with at least one
# session, and with two sessions.
NAMED, WITH_PHONE, ACTIVE, WITH_TWO_SESSIONS = 3, 3, 4, 2
SESSIONS_PER_USER = (ACTIVE + WITH_TWO_SESSIONS) / 10
# Codes are kept for ten minutes.
PEOPLE_PER_CODE = 1_000

# 32 bytes that look random. gen_random_uuid takes twice the time.
SECRET = "decode(md5(random()::text) || md5(random()::text), 'hex')"
# The length of a sealed session_key, and of a sealed phone number with its country code.
SEALED = f"%(key_id)s || ':' || encode(substring({SECRET} || {SECRET} FOR %(sealed)s), 'base64')"
BASE64URL = "left(translate(encode({bytes}, 'base64'), '+/', '-_'), {length})"
IP = "'192.0.2.1'"

INSERT = f"""
WITH person AS MATERIALIZED (
    SELECT number, made - now() AS age, made, uuidv7(made - now()) AS user_id,
        uuidv7(made - now()) AS account_id, floor(%(apps)s * power(random(), 3))::int AS app,
        'o' || {BASE64URL.format(bytes=f"substring({SECRET} FOR 20)", length=27)} AS openid
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS number,
        LATERAL (SELECT to_timestamp(%(begin)s + number * {SECONDS_BETWEEN}) AS made)
    WHERE number <> ALL (%(people)s)
), one AS MATERIALIZED (
    SELECT person.*, app.appid, app.tenant_id
    FROM person JOIN unnest(%(appids)s::varchar[], %(tenant_ids)s::uuid[]) WITH ORDINALITY
        AS app (appid, tenant_id, place) ON app.place = person.app + 1
), of_users AS (
    INSERT INTO users (id, tenant_id, nickname, last_login_at, last_login_ip, created_at)
    SELECT user_id, tenant_id, CASE WHEN number %% 10 < {NAMED} THEN '微信用户' || number END,
        made, {IP}, made FROM one
), of_accounts AS (
    INSERT INTO social_accounts
        (id, tenant_id, appid, openid, unionid, user_id, last_login_at, created_at)
    SELECT account_id, tenant_id, appid, openid,
        CASE WHEN app %% 4 < 2 THEN 'u' || substr(openid, 2) END, user_id, made, made FROM one
), of_keys AS (
    INSERT INTO session_keys
        (id, tenant_id, social_account_id, key_index, session_key_sealed, asked_at)
    SELECT uuidv7(age), tenant_id, account_id, {SECRET}, {SEALED}, made FROM one
), of_phones AS (
    INSERT INTO phones
        (id, tenant_id, user_id, number_index, number_sealed, country_code, verified_at)
    SELECT uuidv7(age), tenant_id, user_id, {SECRET}, {SEALED}, 86, made
    FROM one WHERE number %% 10 < {WITH_PHONE}
), of_sessions AS (
    INSERT INTO login_sessions (id, tenant_id, appid, social_account_id, user_id, token_hash,
        expires_at, refresh_family_hash, refresh_hash, refresh_expires_at, was_bound, names_tenant,
        device, ip, created_at, seen_at)
    SELECT uuidv7(ago), tenant_id, appid, account_id, user_id, {SECRET}, seen + interval '2 hours',
        {SECRET}, {SECRET}, seen + interval '30 days', true, true, %(device)s, {IP}, now() + ago,
        seen
    FROM one, generate_series(0, 1) AS which,
        LATERAL (SELECT random() * interval '-30 days' AS ago WHERE number IS NOT NULL) AS login,
        LATERAL (SELECT now() + ago * 0.9 AS seen) AS used
    WHERE number %% 10 < CASE which WHEN 0 THEN {ACTIVE} ELSE {WITH_TWO_SESSIONS} END
), of_codes AS (
    INSERT INTO code_exchanges (code_index, tenant_id, appid, asked_by, asked_at, session_id)
    SELECT {SECRET}, tenant_id, appid, {SECRET}, now() - random() * interval '10 minutes', user_id
    FROM one WHERE number %% {PEOPLE_PER_CODE} = 0
)
INSERT INTO audit_events (id, tenant_id, actor_kind, actor_id, action, subject, ip, created_at)
SELECT uuidv7(age), tenant_id, 'user', user_id, action, account_id, {IP}, made
FROM one, (VALUES ('social_account.bound', 10), ('phone.verified', {WITH_PHONE})) AS event
    (action, share)
WHERE number %% 10 < share
"""
# All tables that the statement writes.
TABLES = (
    *("users", "social_accounts", "session_keys", "phones", "login_sessions"),
    *("code_exchanges", "audit_events"),
)


@dataclass(frozen=True)
class Part:
    """The numbers of consecutive people, and those of them who can log in."""

    numbers: range
    people: tuple[int, ...] = ()


def insert_rest(url: str, part: Part, key_id: str) -> None:
    """Insert the people of a part who cannot log in. Runs no trigger.

    `key_id` is the id of the encryption key that the sealed texts name.
    """
    values = {
        "first": part.numbers.start,
        "last": part.numbers.stop - 1,
        "people": list(part.people),
        "begin": FIRST_CREATED_MS / 1000,
        "apps": len(APPIDS),
        "appids": list(APPIDS),
        "tenant_ids": list(TENANT_IDS),
        "device": DEVICE,
        "key_id": key_id,
        "sealed": 52,
    }
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("SET statement_timeout = 0")
        connection.execute(INSERT, values)
