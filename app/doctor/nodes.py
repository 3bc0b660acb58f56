"""Checks of the nodes of a Citus cluster."""

from collections.abc import Iterable, Iterator

import psycopg

from app.doctor.findings import Deployment, Finding, error, ok
from app.doctor.running import reason_of
from app.services.database.citus_nodes import Node, has_citus, read_cluster
from app.services.database.server_checks import direct_addresses, find_worker


def check_nodes(deployment: Deployment) -> Iterator[Finding]:
    """Check that DATABASE_LISTEN_URL has the address of each Citus worker that can notify."""
    with direct_addresses()[0].connect() as connection:
        if not has_citus(connection):
            return
        notifying = read_cluster(connection).notifying
    found, unreachable = _find_workers()
    yield from unreachable
    if missing := notifying - found:
        yield _unlistened(missing, any(unreachable))
    elif not unreachable:
        yield ok(
            "citus_nodes_listened",
            f"DATABASE_LISTEN_URL names all {len(notifying)} Citus workers that can notify.",
            f"DATABASE_LISTEN_URL 包含全部 {len(notifying)} 个可发送通知的 Citus 工作节点。",
        )


def _find_workers() -> tuple[set[Node | None], list[Finding]]:
    """Return the workers, and a finding for each address of a worker that cannot be reached."""
    found, unreachable = set[Node | None](), list[Finding]()
    for address in direct_addresses()[1:]:
        try:
            found.add(find_worker(address))
        except psycopg.OperationalError as refused:
            unreachable.append(_unreachable(str(address), reason_of(refused)))
    return found, unreachable


def _unreachable(address: str, reason: str) -> Finding:
    return error(
        "citus_node_unreachable",
        (
            f"The Citus worker {address} in DATABASE_LISTEN_URL cannot be reached, so the caches "
            f"are off: {reason}",
            f"无法连接 DATABASE_LISTEN_URL 中的 Citus 工作节点 {address}，缓存因此关闭：{reason}",
        ),
        (
            "Start the worker, or correct its address. If it was removed from the cluster, remove "
            "the address.",
            "请启动该节点或修正其地址；若已将其移出集群，请删除该地址。",
        ),
    )


def _unlistened(missing: Iterable[Node], has_unreachable: bool) -> Finding:
    names = ", ".join(sorted(map(str, missing)))
    but_en = ", unless it is the one that cannot be reached" if has_unreachable else ""
    but_zh = "（除非就是上述无法连接的节点）" if has_unreachable else ""
    return error(
        "citus_nodes_unlistened",
        (
            f"DATABASE_LISTEN_URL has no address of the Citus worker {names}{but_en}. The caches "
            "stay off, so each request queries the database.",
            f"DATABASE_LISTEN_URL 缺少 Citus 工作节点 {names} 的地址{but_zh}。"
            "缓存保持关闭，每个请求都会查询数据库。",
        ),
        (
            "Append the address of the same database on that worker to DATABASE_LISTEN_URL, "
            "separated by a space, and restart the service. See docs/operations.md#citus.",
            "请在 DATABASE_LISTEN_URL 后追加该节点上同名数据库的地址，以空格分隔，然后重启服务，"
            "参见 docs/operations.zh-CN.md#citus。",
        ),
    )
