"""What the service is compared with: the least that Flask can do, and a login written plainly."""

import os

import requests
from flask import Flask, request
from sqlalchemy import create_engine, text

WECHAT_TIMEOUT = (3, 5)

app = Flask(__name__)
# As many connections as the service may have, or the comparison would be about that.
engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://"),
    pool_size=int(os.environ["DATABASE_POOL_SIZE"]),
    max_overflow=0,
)
INSERT = text("INSERT INTO bench_logins (openid, session_key) VALUES (:openid, :session_key)")


@app.get("/bare")
def bare() -> str:
    """Answer: the floor."""
    return "ok"


@app.get("/bare/worker")
def worker() -> str:
    """Say which worker a connection has led to."""
    return str(os.getpid())


@app.get("/bare/login")
def login() -> dict[str, str]:
    """Ask WeChat whose code it is, and keep the answer in one row."""
    query = {
        "appid": request.args["appid"],
        "secret": "bench",
        "js_code": request.args["code"],
        "grant_type": "authorization_code",
    }
    url = os.environ["WECHAT_API_BASE_URL"] + "/sns/jscode2session"
    told = requests.get(url, params=query, timeout=WECHAT_TIMEOUT).json()
    row = {"openid": told["openid"], "session_key": told["session_key"]}
    with engine.begin() as connection:
        connection.execute(INSERT, row)
    return {"openid": told["openid"]}
