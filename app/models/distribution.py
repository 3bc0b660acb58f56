"""Where the rows of each table are stored in a database that is distributed with Citus.

Every node has a copy of a reference table. A tenant table is distributed by `tenant_id`: all rows
of a tenant are on one node. The coordinator has the other tables, which belong to the platform.
"""

from typing import Any

from sqlalchemy import Column, Table

# Settings and keys that requests of every tenant read, and that change rarely. `app_claims` belongs
# to them because the claims of several tenants to an appid are compared.
REFERENCE_TABLES = (
    "tenants",
    "wechat_apps",
    "app_claims",
    "operators",
    "signing_keys",
    "key_proofs",
)
# In the order in which foreign keys refer to them.
TENANT_TABLES = (
    "users",
    "phones",
    "merges",
    "social_accounts",
    "session_keys",
    "login_sessions",
    "code_exchanges",
    "audit_events",
    "wechat_pushes",
    "people_imports",
    "wechat_access_tokens",
    "verification_budgets",
    "answer_times",
    "daily_counts",
    "daily_failures",
    "minute_counts",
    "minute_failures",
)


def is_tenant_table(table: Table) -> bool:
    """Return whether the rows of a table are distributed by tenant."""
    return table.name in TENANT_TABLES


def key_within_tenant(table: Table) -> Column[Any]:
    """Return the primary key column other than `tenant_id`. A table must have exactly one."""
    (key,) = (column for column in table.primary_key if column.name != "tenant_id")
    return key
