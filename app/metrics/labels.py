"""Label values with a bounded number of names."""

from collections.abc import Iterable

from app.metrics.definitions import OTHER

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class AppLabels:
    """The appids that are exported by name. All others are exported as `other`.

    These are the apps with the most logins, and the first apps that the process sees while fewer
    than `most` are known. A name stays until the process ends, because a series that ends would
    look like an app without logins. So a process uses at most twice `most` names.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._names: set[str] = set()

    def label(self, appid: str) -> str:
        """Return the appid or `other`. `appid` is that of an app of the service, or `other`."""
        if appid == OTHER or appid in self._names:
            return appid
        if len(self._names) < self._most:
            self._names.add(appid)
            return appid
        return OTHER

    def add_busiest(self, appids: Iterable[str]) -> None:
        """Export these apps by name, in their order, while names are left."""
        for appid in appids:
            if len(self._names) >= 2 * self._most:
                return
            self._names.add(appid)


def method_label(method: str) -> str:
    """Return an HTTP method, or `other` for an unusual one."""
    return method if method in METHODS else OTHER
