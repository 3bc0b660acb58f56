"""The words of the tables of docs/scaling.md, in English and Chinese."""

from collections.abc import Mapping
from enum import Enum

OPERATIONS = {
    "check": ("a check of a cached session", "校验缓存中的会话"),
    "uncached_check": ("a check of a session that is not cached", "校验未缓存的会话"),
    "refresh": ("a refresh", "刷新令牌"),
    "login": ("a login of a known user", "已有用户登录"),
    "new_login": ("a login of a new user", "新用户登录"),
    "last_use": ("a write of a session's last use", "写入会话的最近使用时间"),
}
# The meaning of measurements. Those of an operation have its name after a dot.
KINDS = {
    "service_ms": ("CPU ms of the service: {}", "服务的 CPU 毫秒数：{}"),
    "database_ms": ("CPU ms of PostgreSQL: {}", "PostgreSQL 的 CPU 毫秒数：{}"),
    "p99_ms": ("99th percentile in ms: {}", "第 99 百分位（毫秒）：{}"),
    "wal_records_kb": ("kB of records in the WAL: {}", "WAL 记录（KB）：{}"),
    "wal_pages_kb": ("kB of full pages in the WAL: {}", "WAL 整页（KB）：{}"),
    "requests": ("requests in a run: {}", "一轮中的请求数：{}"),
    "cold_pages": ("pages read with cold caches: {}", "冷缓存时读取的页数：{}"),
    "cold_p99_ms": (
        "99th percentile in ms with cold caches: {}",
        "冷缓存时第 99 百分位（毫秒）：{}",
    ),
}
VARIANTS = {
    "compressed": (", with `wal_compression`", "，启用 `wal_compression`"),
    "cold": (", with cold caches", "，冷缓存"),
}
MEASUREMENTS = {
    "database_gb": ("GB of the database after filling", "填充后数据库大小（GB）"),
    "user_table_bytes": (
        "bytes of tables per user, without sessions",
        "每个用户的表字节数（不含会话）",
    ),
    "user_index_bytes": (
        "bytes of indexes per user, without sessions",
        "每个用户的索引字节数（不含会话）",
    ),
    "sessions_per_user": ("sessions per user", "每个用户的会话数"),
    "session_table_bytes": ("bytes of the table per session", "每个会话的表字节数"),
    "session_index_bytes": (
        "bytes of the new indexes per session",
        "每个会话的索引字节数（刚建好）",
    ),
    "session_index_bytes_after": (
        "bytes of the indexes per session after all runs",
        "全部测量后每个会话的索引字节数",
    ),
    "floor_ms": (
        "CPU ms of a bare Flask view, for comparison",
        "空白 Flask 视图的 CPU 毫秒数，供对比",
    ),
    "commits": ("commits per second of 16 clients", "16 个客户端每秒提交数"),
    "notifying_commits": ("commits per second with a notification", "带通知时每秒提交数"),
    "notification_ms": (
        "CPU ms of each worker per notification",
        "每条通知在每个 worker 中的 CPU 毫秒数",
    ),
    "retention_seconds": (
        "CPU seconds of `retention run` without due rows",
        "没有到期数据时一次 `retention run` 的 CPU 秒数",
    ),
    "retention_seconds_per_million": (
        "CPU seconds to delete a million due rows",
        "删除一百万行到期数据的 CPU 秒数",
    ),
}
RESOURCES = {
    "cores": ("cores", "CPU 核数"),
    "reads": ("pages read from disk per second", "每秒从磁盘读取的页数"),
    "disk": ("disk", "磁盘"),
    "wal": ("WAL per second", "每秒 WAL"),
    "notifications": ("commits with notifications", "带通知的提交"),
    "connections": ("connections without PgBouncer", "连接数（不用 PgBouncer）"),
    "listeners": ("time of the workers for notifications", "worker 处理通知的时间"),
}
WORDS = {
    "measurement": ("measurement", "实测项目"),
    "users": ("users", "用户数"),
    "active": ("active users per day", "日活跃用户"),
    "sessions": ("stored sessions", "保存的会话数"),
    "per_second": ("in the busiest second: {}", "最繁忙一秒：{}"),
    "workers": ("service: cores, each with a worker", "服务：核数（每核一个 worker）"),
    "hosts": ("service: hosts", "服务：主机数"),
    "service_gb": ("service: memory, GB", "服务：内存（GB）"),
    "notified": (
        "service: time of each worker for notifications, in one deployment",
        "服务：只有一套部署时，每个 worker 处理通知的时间占比",
    ),
    "cores": ("PostgreSQL: cores", "PostgreSQL：核数"),
    "often_read": ("PostgreSQL: GB that are read often", "PostgreSQL：经常读取的数据（GB）"),
    "cold_reads": (
        "PostgreSQL: pages read in the busiest second, without memory for them",
        "PostgreSQL：最繁忙一秒读取的页数（内存中没有任何页面时）",
    ),
    "disk_gb": ("PostgreSQL: disk, GB", "PostgreSQL：磁盘（GB）"),
    "wal_day": ("PostgreSQL: WAL per day, GB", "PostgreSQL：每天 WAL（GB）"),
    "wal_second": (
        "PostgreSQL: WAL in the busiest second, MB",
        "PostgreSQL：最繁忙一秒的 WAL（MB）",
    ),
    "notifying": (
        "PostgreSQL: commits with notifications in the busiest second",
        "PostgreSQL：最繁忙一秒中带通知的提交数",
    ),
    "direct": ("connections without PgBouncer", "连接数（不用 PgBouncer）"),
    "pooled": ("connections with PgBouncer", "连接数（使用 PgBouncer）"),
    "retention": ("retention: CPU hours per day", "数据保留：每天 CPU 小时数"),
    "first": ("first resource to saturate", "最先饱和的资源"),
    "nodes": ("database servers", "数据库服务器数"),
    "deployments": ("service: deployments", "服务：部署套数"),
    "citus_service": ("with Citus: cores of the service", "使用 Citus：服务核数"),
    "citus_coordinator": ("with Citus: cores of the coordinators", "使用 Citus：协调节点核数"),
    "citus_workers": ("with Citus: cores of the Citus workers", "使用 Citus：工作节点核数"),
    "keeps": ("client that keeps its tokens", "客户端保存令牌"),
    "forgets": ("client that logs in at each launch", "客户端每次启动都登录"),
    "quantity": ("quantity", "项目"),
    "base": ("{} users, measured", "{}用户，实测"),
    "predicted": ("{}: predicted", "{}：预测"),
    "measured": ("measured", "实测"),
    "ratio": ("measured ÷ predicted", "实测 ÷ 预测"),
    "bytes_of_user": ("bytes per user, without sessions", "每个用户的字节数（不含会话）"),
    "bytes_of_session": ("bytes per session", "每个会话的字节数"),
    "wal_kb": ("kB of WAL: {}", "WAL（KB）：{}"),
}


class Language(Enum):
    """The languages of the page, by the place of their texts."""

    ENGLISH = 0
    CHINESE = 1

    @property
    def words(self) -> "Words":
        return Words(self.value)


class Words:
    """The texts of one language."""

    def __init__(self, place: int) -> None:
        self._place = place

    def __getitem__(self, name: str) -> str:
        return self._of(WORDS, name)

    def operation(self, name: str) -> str:
        """Return the text of an operation."""
        return self._of(OPERATIONS, name)

    def resource(self, name: str) -> str:
        """Return the text of a resource of a database server."""
        return self._of(RESOURCES, name)

    def meaning(self, name: str) -> str:
        """Return the text of a measurement or a prediction."""
        kind, _, rest = name.partition(".")
        if not rest:
            return self._of(MEASUREMENTS if kind in MEASUREMENTS else WORDS, kind)
        operation, _, variant = rest.partition(".")
        text = self._of(KINDS if kind in KINDS else WORDS, kind)
        ending = self._of(VARIANTS, variant) if variant else ""
        return text.format(self.operation(operation)) + ending

    def users(self, number: float) -> str:
        """Return a number of users in words."""
        if self._place == Language.CHINESE.value:
            return f"{number / 1e8:g} 亿" if number >= 1e8 else f"{number / 1e4:g} 万"
        for unit, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
            if number >= unit:
                return f"{number / unit:g} {name}"
        return f"{number:g}"

    def _of(self, texts: Mapping[str, tuple[str, str]], name: str) -> str:
        return texts[name][self._place]
