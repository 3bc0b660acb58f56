"""The machines of the database: etcd, PostgreSQL with Patroni, HAProxy and PgBouncer."""

import sys
from collections.abc import Sequence

import yaml

from tests.fixtures.servers.nginx_site import listening, whole_site
from tests.ha.processes import Part
from tests.ha.programs import program
from tests.ha.site import MEMBERS, PASSWORD, Site, render


def etcd(site: Site, member: str) -> Part:
    """Return an etcd member."""
    name = f"etcd{member}"
    ports, peers = site.ports.etcd, site.ports.etcd_peer
    replacements = {"/var/lib/etcd/wxpass": str(site.folder_of(name) / "data")}
    for one in MEMBERS:
        peer = f"etcd{one}=http://10.0.0.2{one}:2380"
        replacements[peer] = f"etcd{one}=http://127.0.0.1:{peers[one]}"
    replacements |= {
        "10.0.0.21:2379": f"127.0.0.1:{ports[member]}",
        "10.0.0.21:2380": f"127.0.0.1:{peers[member]}",
        "name: etcd1\n": f"name: {name}\n",
    }
    path = site.write(name, "etcd.yml", render("etcd.yml", replacements))
    return site.part(name, program("etcd"), "--config-file", str(path))


def links(site: Site, member: str) -> Part:
    """Return the network links from a Patroni to the etcd members."""
    ports = site.ports
    pairs = [f"{ports.links[member][one]}:{ports.etcd[one]}" for one in MEMBERS]
    environ = {"PYTHONDONTWRITEBYTECODE": "1"}
    return site.own_part(f"links{member}", environ, sys.executable, "-m", "tests.ha.links", *pairs)


def patroni(site: Site, member: str) -> Part:
    """Return a Patroni, which starts a PostgreSQL server."""
    name, ports = f"db{member}", site.ports
    folder = site.folder_of(name)
    data = folder / "data"
    text = render(
        "patroni.yml",
        {
            "name: db1": f"name: {name}",
            "10.0.0.11:8008": f"127.0.0.1:{ports.patroni[member]}",
            "10.0.0.11:5432": f"127.0.0.1:{ports.postgres[member]}",
            "/var/lib/postgresql/15/wxpass": str(data),
            "10.0.0.0/24": "127.0.0.1/32",
            "CHANGE_ME": PASSWORD,
            **{f"10.0.0.2{one}:2379": f"127.0.0.1:{ports.links[member][one]}" for one in MEMBERS},
        },
    )
    settings = yaml.safe_load(text)
    # Otherwise Patroni asks etcd for the addresses of its members, and uses these.
    settings["etcd"]["use_proxies"] = True
    settings["watchdog"] = {"mode": "off"}
    settings["postgresql"]["parameters"] = {"unix_socket_directories": str(folder)}
    settings["postgresql"]["pgpass"] = str(folder / "pgpass")
    path = site.write(name, "patroni.yml", yaml.safe_dump(settings))
    return site.part(name, program("patroni"), str(path))


def patronictl(site: Site, *arguments: str) -> list[str]:
    """Return a patronictl command."""
    path = site.folder_of("db1") / "patroni.yml"
    return [program("patronictl"), "-c", str(path), *arguments]


def haproxy(site: Site) -> Part:
    """Return the HAProxy that leads to the primary."""
    ports = site.ports
    replacements = {"127.0.0.1:5000": f"127.0.0.1:{ports.haproxy}"}
    for one in MEMBERS:
        server = f"10.0.0.1{one}:5432 check port 8008"
        replacements[server] = f"127.0.0.1:{ports.postgres[one]} check port {ports.patroni[one]}"
    path = site.write("haproxy", "haproxy.cfg", render("haproxy.cfg", replacements))
    return site.part("haproxy", program("haproxy"), "-db", "-f", str(path))


def pgbouncer(site: Site) -> Part:
    """Return the PgBouncer, which connects through HAProxy."""
    ports = site.ports
    users = site.write("pgbouncer", "userlist.txt", f'"wxpass" "{PASSWORD}"\n')
    replacements = {
        "port=5000": f"port={ports.haproxy}",
        "listen_port = 6432": f"listen_port = {ports.pgbouncer}",
        "unix_socket_dir = /var/run/postgresql": "unix_socket_dir =",
        "/etc/pgbouncer/userlist.txt": str(users),
    }
    path = site.write("pgbouncer", "pgbouncer.ini", render("pgbouncer.ini", replacements))
    return site.part("pgbouncer", program("pgbouncer"), str(path))


def nginx(site: Site) -> Part:
    """Return the nginx in front of both services: deploy/nginx with a second server."""
    shown = "add_header X-Upstream $upstream_addr always;"
    write_nginx(site, (site.ports.direct, site.ports.pooled), shown)
    return nginx_part(site)


def write_nginx(site: Site, services: Sequence[int], directive: str = "") -> None:
    """Write deploy/nginx with the ports of services, and with another directive."""
    folder = site.folder_of("nginx")
    text = listening(whole_site(), site.ports.nginx, site.ports.redirect)
    replacements = {
        "server 127.0.0.1:8000;": "\n    ".join(f"server 127.0.0.1:{port};" for port in services),
        f"listen 127.0.0.1:{site.ports.nginx};": (
            f"listen 127.0.0.1:{site.ports.nginx};\n    {directive}"
        ),
        # All load comes from one address.
        "rate=20r/s;": "rate=10000r/s;",
    }
    for documented, replacement in replacements.items():
        assert text.count(documented) == 1, documented
        text = text.replace(documented, replacement)
    text = text.replace("/var/log/nginx/access.log", str(folder / "access.log"))
    site.write("nginx", "wxpass.conf", text)


def nginx_part(site: Site) -> Part:
    """Return the nginx with the file of `write_nginx`."""
    folder = site.folder_of("nginx")
    paths = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{path}_temp_path {folder}/{path};" for path in paths)
    main = f"daemon off; pid {folder}/pid; worker_processes 1;\nevents {{}}\n"
    main += f"http {{ {temporary} access_log off; include {folder}/wxpass.conf; }}\n"
    path = site.write("nginx", "nginx.conf", main)
    return site.part("nginx", program("nginx"), "-p", str(folder), "-c", str(path), "-e", "stderr")
