"""The main use case through the API: login, phone number, logout, next login."""

from tests.fixtures.personas import Client, Person, Reader, failure


def test_a_user_logs_in_binds_a_phone_logs_out_and_logs_in_again(
    client: Client, alice: Person, rows: Reader
) -> None:
    first = client.log_in(alice)
    assert (first["bound"], first["user"], first["refresh_token"]) == (False, None, None)
    assert first["token"].startswith("wxp_")
    assert failure(client.me(first["token"])) == (403, "login_unbound")

    info = client.post("profile", first["token"], **alice.tap_user_info())
    assert info.json["nickname"] == "alice 🌸 小花"
    bound = client.post("phone", first["token"], **alice.tap_phone_new()).json
    assert bound["bound"]
    assert bound["user"]["phone"] == "+8613800138001"
    assert bound["user"]["nickname"] == "alice 🌸 小花"

    assert failure(client.me(first["token"])) == (401, "session_replaced")
    assert client.me(bound["token"]).json == bound["user"]

    assert client.post("logout", bound["token"]).status_code == 204
    assert failure(client.me(bound["token"])) == (401, "session_ended")
    again = client.log_in(alice)
    assert again["bound"]
    assert again["user"] == bound["user"]
    assert rows.count("users") == rows.count("social_accounts") == rows.count("phones") == 1
