"""Bare Flask views to compare the service with: an empty view and a minimal login."""

import os

import requests
from flask import Flask, request
from sqlalchemy import create_engine, text

WECHAT_TIMEOUT = (3, 5)

app = Flask(__name__)
# The pool has the size of the service's pool, so that the pools make no difference.
engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
    pool_size=int(os.environ["DATABASE_POOL_SIZE"]),
    max_overflow=0,
)
INSERT = text("INSERT INTO bench_logins (openid, session_key) VALUES (:openid, :session_key)")


@app.get("/bare")
def bare() -> str:
    """Return a constant. The duration of this view is the floor of all measurements."""
    return "ok"


@app.get("/bare/worker")
def worker() -> str:
    """Return the process id of the gunicorn worker."""
    return str(os.getpid())


@app.get("/bare/login")
def login() -> dict[str, str]:
    """Exchange a code with WeChat, and insert openid and session_key into the database."""
    query = {
        "appid": request.args["appid"],
        "secret": "bench",
        "js_code": request.args["code"],
        "grant_type": "authorization_code",
    }
    url = os.environ["WECHAT_API_BASE_URL"] + "/sns/jscode2session"
    session = requests.get(url, params=query, timeout=WECHAT_TIMEOUT).json()
    row = {"openid": session["openid"], "session_key": session["session_key"]}
    with engine.begin() as connection:
        connection.execute(INSERT, row)
    return {"openid": session["openid"]}
