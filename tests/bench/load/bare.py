"""The views that the service is compared with: an empty Flask view and a minimal login."""

import os

import requests
from flask import Flask, request
from sqlalchemy import create_engine, text

WECHAT_TIMEOUT = (3, 5)

app = Flask(__name__)
# The pool is as large as that of the service, so that it makes no difference.
engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
    pool_size=int(os.environ["DATABASE_POOL_SIZE"]),
    max_overflow=0,
)
INSERT = text("INSERT INTO bench_logins (openid, session_key) VALUES (:openid, :session_key)")


@app.get("/bare")
def bare() -> str:
    """Return a constant: the floor."""
    return "ok"


@app.get("/bare/worker")
def worker() -> str:
    """Return the process id of the worker."""
    return str(os.getpid())


@app.get("/bare/login")
def login() -> dict[str, str]:
    """Exchange the code at WeChat, and insert the result."""
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
