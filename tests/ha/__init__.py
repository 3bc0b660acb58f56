"""The service with a PostgreSQL cluster while parts of it fail: `make test-ha`.

Three etcd members, three PostgreSQL servers under Patroni, HAProxy, PgBouncer, nginx, the WeChat
simulator, and two gunicorn masters run on this machine, with the configuration in `deploy/ha`.
"""
