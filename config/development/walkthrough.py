"""The commands of an example login that `make run` prints, for sh, bash and zsh."""

from string import Template

from config.development.demo import PEOPLE, TENANTS


class _ShellTemplate(Template):
    """A template with placeholders like `~name`, because `$` belongs to the shell."""

    delimiter = "~"


# Without comments, which an interactive zsh executes, and without "!", which expands history.
_COMMANDS = _ShellTemplate(r"""
SIM=~simulator; API=~service/v1; APP=~appid
call() { curl -sS --noproxy '*' -H 'Content-Type: application/json' "$@"; }
pick() { python3 -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }
show() { printf '\n%s\n' "$@"; }
SOMEONE='{"person":"~person","appid":"'$APP'"}'

show '1. ~Person opens the mini-program: wx.login gives a code.' '打开小程序，wx.login 得到 code'
CODE=$(call "$SIM/_simulator/login" -d "$SOMEONE" | pick code)
show "$CODE"

show '2. The code becomes a login token, not bound to a user yet.' '用 code 登录，首次未绑定用户'
LOGIN=$(call "$API/apps/$APP/login" -d '{"code":"'$CODE'"}')
show "$LOGIN"; TOKEN=$(show "$LOGIN" | pick token)

show '3. ~Person presses the phone number button: another code.' '点击手机号按钮，得到手机号 code'
CODE=$(call "$SIM/_simulator/phone" -d "$SOMEONE" | pick code)
show "$CODE"

show '4. The number belongs to a user: bound, with a new token.' '手机号属于某用户：绑定并换新凭证'
LOGIN=$(call "$API/apps/$APP/phone" -H "Authorization: Bearer $TOKEN" -d '{"code":"'$CODE'"}')
show "$LOGIN"; TOKEN=$(show "$LOGIN" | pick token)

show '5. Who is it?' '当前用户是谁'
show "$(call "$API/me" -H "Authorization: Bearer $TOKEN")"
""")


def login_commands(service: str, simulator: str) -> str:
    """Return the commands for the service and the simulator at these URLs."""
    person = PEOPLE[0].name
    return _COMMANDS.substitute(
        service=service,
        simulator=simulator,
        appid=TENANTS[0].apps[0].appid,
        person=person,
        Person=person.capitalize(),
    )
