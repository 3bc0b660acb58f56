"""A back end with one view for each way of verification."""

from flask import Flask, g
from wxpass_auth import jwt_required, login_token_required

app = Flask(__name__)


@app.get("/orders")
@login_token_required
def list_orders() -> dict[str, str]:
    """List the orders of the user of a login token."""
    return {"user": g.user_id}


@app.get("/reports")
@jwt_required
def list_reports() -> dict[str, str]:
    """List the reports of the user of a JWT."""
    return {"user": g.user_id}
