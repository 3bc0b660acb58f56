"""Commands about operators."""

import pytest
from flask import Flask

from app.services.operators.listed_operators import find_operator_id
from app.services.operators.one_time_codes import find_pending_enrolment
from app.services.operators.operators import accept_invitation
from app.services.operators.recovery_codes import count_recovery_codes
from tests.cli.test_commands import Command, run
from tests.fixtures.operators import (
    DEVICE,
    Script,
    add_operator,
    code_of,
    enable_one_time_codes,
    signed_in,
)
from tests.fixtures.personas import Client, Reader, failure

__all__ = ["run"]

OPS, ANN = "ops@wxpass.example", "ann@acme.example"


def accept_printed_invitation(app: Flask, output: str, password: str = "silver-lantern-92") -> None:
    """Accept the invitation in the output of a command, and set the password."""
    invitation = next(line for line in output.splitlines() if "#" in line).partition("#")[2]
    with app.app_context():
        accept_invitation(invitation, password, DEVICE)


def test_operators_reset_keeps_one_time_codes_enabled(app: Flask, run: Command) -> None:
    """After the operator sets a password with the printed link, sign-in still requires a code."""
    add_operator(app, ANN, "tenant_admin", "acme")
    totp = enable_one_time_codes(app, ANN)
    reset = run("operators", "reset", ANN)
    assert reset.exit_code == 0
    accept_printed_invitation(app, reset.output)
    ann = Script(Client(app), ANN)
    assert ann.sign_in("silver-lantern-92").json["code"] == "one_time_code_needed"
    assert ann.sign_in("silver-lantern-92", code=code_of(totp)).status_code == 200


def test_operators_reset_of_the_last_platform_admin_requires_even_last(
    app: Flask, run: Command, rows: Reader
) -> None:
    """Without `--even-last` the command changes nothing. The help text explains the option."""
    ops = signed_in(app, OPS, "platform")
    refused = run("operators", "reset", OPS)
    assert refused.exit_code == 1
    assert "last_platform_operator" in refused.output
    assert ops("GET", "/me").status_code == 200
    help_text = run("operators", "reset", "--help").output
    assert "--even-last" in help_text
    assert "no platform admin can sign in" in " ".join(help_text.split())
    reset = run("operators", "reset", OPS, "--even-last")
    assert reset.exit_code == 0
    accept_printed_invitation(app, reset.output)
    assert ops.sign_in("silver-lantern-92").status_code == 200
    audited = "SELECT actor_kind, actor_id FROM platform_audit_events"
    assert rows(f"{audited} WHERE action = 'operator.reset'") == [("operator", None)]


def test_operators_disable_rejects_the_last_platform_admin(app: Flask, run: Command) -> None:
    add_operator(app, OPS, "platform")
    refused = run("operators", "disable", OPS)
    assert (refused.exit_code, "last_platform_operator" in refused.output) == (1, True)


def test_operators_remove_codes_allows_sign_in_with_the_password_alone(
    app: Flask, run: Command, rows: Reader
) -> None:
    """The command also accepts the last platform admin."""
    add_operator(app, OPS, "platform")
    enable_one_time_codes(app, OPS)
    ops = Script(Client(app), OPS)
    unconfirmed = run("operators", "remove-codes", OPS)
    assert (unconfirmed.exit_code, "Remove the one-time codes?" in unconfirmed.output) == (1, True)
    assert failure(ops.sign_in()) == (401, "one_time_code_needed")
    removed = run("operators", "remove-codes", OPS, "--yes")
    assert removed.exit_code == 0
    assert ops.sign_in().status_code == 200
    with app.app_context():
        ops_id = find_operator_id(OPS)
        assert count_recovery_codes(ops_id) == 0
        assert find_pending_enrolment(ops_id) is None
    again = run("operators", "remove-codes", OPS, "--yes")
    assert (again.exit_code, "one_time_codes_off" in again.output) == (1, True)
    assert rows.count("platform_audit_events", "action = 'operator.codes_removed'") == 1


@pytest.mark.parametrize("command", ["reset", "remove-codes --yes", "disable", "enable"])
def test_operator_commands_fail_for_an_unknown_operator(run: Command, command: str) -> None:
    refused = run("operators", *command.split(), "nobody@acme.example")
    assert (refused.exit_code, "operator_unknown" in refused.output) == (1, True)
    assert run("operators", *command.split(), "no address").exit_code == 2


def test_operators_list_marks_operators_with_one_time_codes(app: Flask, run: Command) -> None:
    add_operator(app, ANN, "tenant_admin", "acme")
    add_operator(app, OPS, "platform")
    enable_one_time_codes(app, ANN)
    ann, ops = (line.split("\t") for line in run("operators", "list").output.splitlines())
    assert ann[:5] == [ANN, "tenant_admin", "acme", "active", "codes"]
    assert ops == [OPS, "platform", "-", "active", "-", "-"]
