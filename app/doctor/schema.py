"""Checks of the role's rights, the migrations and the keys."""

from collections.abc import Iterator

from flask import current_app
from sqlalchemy import text

from app.doctor.findings import Deployment, Finding, error, of_failure, ok, warning
from app.errors import Failure
from app.extensions import db as database
from app.keyring import keyring
from app.services.database.transactions import transaction
from app.services.encryption.key_proofs import check_keys
from app.services.encryption.key_usage import is_key_used_within
from app.services.encryption.readiness import check_readiness, newest_migration

ATTRIBUTES = text(
    "SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
    " FROM pg_roles WHERE rolname = current_user"
)
# For each table of the service that exists: does the role own it, and which rights does it lack?
TABLES = text(
    """
    SELECT relname AS name, pg_has_role(relowner, 'MEMBER') AS is_owned,
        pg_get_userbyid(relowner) AS owner,
        array(SELECT wanted FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS wanted
              WHERE NOT has_table_privilege(pg_class.oid, wanted)) AS missing,
        has_table_privilege(pg_class.oid, 'TRUNCATE') AS may_truncate
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND relname = ANY(:names)
        AND pg_namespace.nspname = ANY(current_schemas(false))
    ORDER BY relname
    """
)
MAY_CREATE = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
# Migrations write these two, the service reads them.
READ_ONLY = {"alembic_version", "schema_compatibility"}
GRANTS = (
    "Run deploy/postgresql/roles.sql again as superuser.",
    "请以超级用户重新执行 deploy/postgresql/roles.sql。",
)
SEARCH_SECONDS = 10.0


def check_role(deployment: Deployment) -> Iterator[Finding]:
    """Check that the role has no more rights than the service needs."""
    with transaction() as db:
        role = db.execute(ATTRIBUTES).one()._asdict()
    name = role.pop("rolname")
    excess = [right.removeprefix("rol") for right, is_given in role.items() if is_given]
    if "super" in excess:
        yield error(
            "role_superuser",
            (
                f"The role {name} is a superuser: a stolen DATABASE_URL opens the whole server.",
                f"角色 {name} 是超级用户：DATABASE_URL 一旦泄露，整台服务器都会失守。",
            ),
            (
                f"ALTER ROLE {name} NOSUPERUSER, or use the roles of deploy/postgresql/roles.sql.",
                f"执行 ALTER ROLE {name} NOSUPERUSER，"
                "或使用 deploy/postgresql/roles.sql 中的角色。",
            ),
        )
    elif excess:
        rights = ", ".join(excess)
        yield warning(
            "role_powerful",
            (
                f"The role {name} has rights that the service does not need: {rights}.",
                f"角色 {name} 拥有服务不需要的权限：{rights}。",
            ),
            (
                f"ALTER ROLE {name} {' '.join('NO' + right.upper() for right in excess)};",
                f"ALTER ROLE {name} {' '.join('NO' + right.upper() for right in excess)};",
            ),
        )
    else:
        yield ok("role_ordinary", f"The role {name} is not privileged.", f"角色 {name} 无特权。")


def check_rights(deployment: Deployment) -> Iterator[Finding]:
    """Check that the role can use every table: as owner, or with rights on rows only."""
    names = [*database.metadata.tables, *READ_ONLY]
    with transaction() as db:
        tables = db.execute(TABLES, {"names": names}).all()
        may_create = db.scalar(MAY_CREATE)
    if not tables:
        return  # An error of the migrations.
    lacking = {
        table.name: rights
        for table in tables
        if (rights := _lacking(table.name, table.missing)) and not table.is_owned
    }
    owned = [table.name for table in tables if table.is_owned]
    if lacking:
        yield _missing_rights(lacking)
    elif 0 < len(owned) < len(tables):
        yield _several_owners(sorted({table.owner for table in tables}))
    elif owned:
        yield ok(
            "role_owns_tables",
            "The role owns the tables. deploy/postgresql/roles.sql has two roles, of which the "
            "service's cannot change the schema.",
            "该角色拥有所有表。deploy/postgresql/roles.sql 提供两个角色，"
            "其中服务的角色不能修改表结构。",
        )
    elif may_create or any(table.may_truncate for table in tables):
        yield _rights_on_schema()
    else:
        yield ok(
            "role_limited",
            "The role reads and writes rows, and cannot change the schema.",
            "该角色只能读写数据，不能修改表结构。",
        )


def _lacking(name: str, missing: list[str]) -> list[str]:
    return [right for right in missing if name not in READ_ONLY or right == "SELECT"]


def _missing_rights(lacking: dict[str, list[str]]) -> Finding:
    shown = "; ".join(f"{name}: {', '.join(rights)}" for name, rights in [*lacking.items()][:5])
    more = len(lacking) - 5
    en, zh = (f" and {more} more tables", f" 等另外 {more} 个表") if more > 0 else ("", "")
    return error(
        "role_lacks_rights",
        (f"The role lacks rights: {shown}{en}.", f"该角色缺少权限：{shown}{zh}。"),
        GRANTS,
    )


def _several_owners(owners: list[str]) -> Finding:
    names = ", ".join(owners)
    return error(
        "tables_of_several_owners",
        (f"The tables belong to several roles: {names}.", f"这些表属于多个角色：{names}。"),
        (
            "Run migrations with one role. REASSIGN OWNED BY old TO new; repairs it.",
            "请始终用同一角色执行迁移；可用 REASSIGN OWNED BY 旧角色 TO 新角色 修复。",
        ),
    )


def _rights_on_schema() -> Finding:
    return warning(
        "role_changes_schema",
        (
            "The role does not own the tables, but can create or empty tables.",
            "该角色不是表的所有者，却可以建表或清空表。",
        ),
        GRANTS,
    )


def check_migrations(deployment: Deployment) -> Iterator[Finding]:
    """Check that the schema and this release fit together."""
    own = newest_migration(current_app.extensions["migrate"].directory)
    try:
        check_readiness()
    except Failure as failure:
        if failure.code not in ("migrations_missing", "release_outdated"):
            raise
        yield of_failure(
            failure,
            (
                "Run flask --app wsgi db upgrade with this release and the owner of the tables.",
                "请用当前版本，以表的所有者执行 flask --app wsgi db upgrade。",
            ),
        )
        return
    yield ok(
        "migrations_applied",
        f"The schema fits this release (revision {own}).",
        f"数据库结构与当前版本相符（修订 {own}）。",
    )


def check_encryption_keys(deployment: Deployment) -> Iterator[Finding]:
    """Check that no key is missing, and whether rows still need an old key."""
    check_keys()
    yield ok(
        "keys_fit",
        "WXPASS_KEYS and WXPASS_PEPPER fit the data.",
        "WXPASS_KEYS 和 WXPASS_PEPPER 与数据相符。",
    )
    old = [key_id for key_id, _ in keyring().keys[1:]]
    is_needed = {key_id: is_key_used_within(SEARCH_SECONDS, key_id) for key_id in old}
    if needed := [key_id for key_id in old if is_needed[key_id]]:
        yield warning(
            "keys_old",
            (
                f"Rows are still encrypted with old keys: {', '.join(needed)}.",
                f"仍有数据使用旧密钥加密：{', '.join(needed)}。",
            ),
            ("Run flask --app wsgi keys rotate.", "请执行 flask --app wsgi keys rotate。"),
        )
    elif None in is_needed.values():
        yield ok(
            "keys_not_counted",
            "The rows are too many to look for old keys here. Run keys check.",
            "数据量较大，未在此查找旧密钥，请执行 keys check。",
        )
    elif old:
        yield ok(
            "keys_removable",
            f"No row needs these keys of WXPASS_KEYS: {', '.join(old)}. They may be removed.",
            f"WXPASS_KEYS 中的 {', '.join(old)} 已无数据使用，可以移除。",
        )
