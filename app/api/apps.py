"""Views of login to a mini-program: /v1/apps/{appid}/..."""

from app.api.blueprint import Blueprint
from app.api.openapi.errors import OPEN_DATA, PASSWORD_CHECK, PHONE_NUMBER, WECHAT_CODE
from app.api.openapi.tags import BINDING, LOGIN, SESSION
from app.auth import any_login, any_login_to_end, bound_login, no_login, this_device, this_principal
from app.errors import (
    CodesTooMany,
    CodeUsed,
    LoginTooOld,
    NoSocialAccount,
    OpenDataOfAnother,
    PhoneOwnerHasIdentity,
    PhoneTaken,
    RefreshTokenExpired,
    RefreshTokenInvalid,
    RefreshTokenReused,
    RegistrationClosed,
    SessionEnded,
    SessionRevoked,
    SignatureWrong,
    SocialAccountTaken,
    TokenOfAnotherApp,
    UserDisabled,
)
from app.schemas.descriptions import response_examples
from app.schemas.requests import (
    CredentialsBody,
    CredentialsRequest,
    EmptyBody,
    EmptyRequest,
    LoginBody,
    LoginRequest,
    PhoneBody,
    PhoneRequest,
    ProfileBody,
    ProfileRequest,
    RefreshBody,
    RefreshRequest,
)
from app.schemas.responses import LoginResponse, ProfileResponse, TokensResponse
from app.services.login import binding, login, password_login
from app.services.sessions import own_sessions, refresh, sessions
from app.services.social_accounts import open_data, profiles
from app.tenancy import this_app

blp = Blueprint("apps", __name__, url_prefix="/v1/apps/<string:appid>", tag=LOGIN)


@blp.post("/login")
@no_login
@blp.arguments(LoginRequest)
@blp.response(200, LoginResponse)
@blp.errors(*WECHAT_CODE, CodeUsed, CodesTooMany, *PASSWORD_CHECK, UserDisabled, SocialAccountTaken)
def log_in(body: LoginBody) -> login.Login:
    """Log a person in with the code of wx.login.

    Exchanges the code with WeChat and opens a session for the mini-program in the path. If the
    WeChat identity belongs to a user, `bound` is true. Otherwise continue with `phone` or
    `bind`.

    The same request repeated within 30 seconds returns the same login, so it is safe to retry.
    With account and password, the identity is also bound to that user; a wrong password does
    not use up the code.
    """
    return login.log_in(
        this_app(), this_device(), code=body.code, account=body.account, password=body.password
    )


@blp.post("/password-login")
@no_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse, example=response_examples.PASSWORD_LOGIN)
@blp.errors(*PASSWORD_CHECK, UserDisabled)
def log_in_with_password(body: CredentialsBody) -> login.Login:
    """Log a user in with account and password.

    Opens a bound session without a WeChat identity, for example outside WeChat. Such a login
    cannot verify a phone number or be bound. Failed attempts are throttled by account and
    address.
    """
    return password_login.log_in_with_password(
        this_app(), this_device(), account=body.account, password=body.password
    )


@blp.post("/profile", tags=[BINDING])
@any_login
@blp.arguments(ProfileRequest)
@blp.response(200, ProfileResponse)
@blp.errors(*OPEN_DATA, OpenDataOfAnother, SignatureWrong)
def keep_profile(body: ProfileBody) -> profiles.AccountProfile:
    """Store nickname and avatar.

    Stores what the person entered in the `nickname` input and chose as avatar. A bound user
    gets the values too. Old clients send the open data of `wx.getUserInfo`
    instead.
    """
    given = open_data.ProfileInput(
        raw_data=body.raw_data,
        signature=body.signature,
        encrypted_data=body.encrypted_data,
        iv=body.iv,
        nickname=body.nickname,
        avatar_url=body.avatar_url,
    )
    return open_data.keep_profile(this_app(), this_principal(), given)


@blp.post("/phone", tags=[BINDING])
@any_login
@blp.arguments(PhoneRequest)
@blp.response(200, LoginResponse)
@blp.errors(
    *WECHAT_CODE,
    *OPEN_DATA,
    *PHONE_NUMBER,
    UserDisabled,
    RegistrationClosed,
    PhoneTaken,
    PhoneOwnerHasIdentity,
)
def bind_phone(body: PhoneBody) -> login.Login:
    """Verify the phone number and bind the login.

    Asks WeChat for the phone number behind the code of the `getPhoneNumber` button. The WeChat
    identity is bound to the user with this number. If there is none, the registration policy of
    the mini-program decides whether a user is registered.

    Returns a bound login with new tokens. The old login token stops working.
    """
    proof = open_data.PhoneProof(code=body.code, encrypted_data=body.encrypted_data, iv=body.iv)
    return binding.bind_phone(this_app(), this_principal(), this_device(), proof)


@blp.post("/bind", tags=[BINDING])
@any_login
@blp.arguments(CredentialsRequest)
@blp.response(200, LoginResponse)
@blp.errors(*PASSWORD_CHECK, UserDisabled, NoSocialAccount, SocialAccountTaken, LoginTooOld)
def bind_account(body: CredentialsBody) -> login.Login:
    """Bind the login to a user with account and password.

    Checks account and password, and binds the WeChat identity of the session to that user. From
    then on, `wx.login` logs this user in.

    Returns a bound login with new tokens. The old login token stops working. A session that was
    bound before must be less than ten minutes old.
    """
    return binding.bind_account(
        this_app(),
        this_principal(),
        this_device(),
        account=body.account,
        password=body.password,
    )


@blp.post("/unbind", tags=[BINDING])
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(200, LoginResponse, example=response_examples.UNBOUND_LOGIN)
@blp.errors(NoSocialAccount)
def unbind(body: EmptyBody) -> login.Login:
    """Unbind the WeChat identity from the user.

    Removes the link between the user and the WeChat identity in this mini-program. The
    identity's other sessions end. The user, the phone number and the identities in other
    mini-programs stay.

    Returns a login with new tokens. A login by `wx.login` is then unbound and can be bound to
    another user.
    """
    return binding.unbind(this_app(), this_principal(), this_device())


@blp.post("/refresh", tags=[SESSION])
@no_login
@blp.arguments(RefreshRequest)
@blp.response(200, TokensResponse)
@blp.errors(
    RefreshTokenInvalid,
    RefreshTokenExpired,
    RefreshTokenReused,
    SessionEnded,
    SessionRevoked,
    UserDisabled,
    TokenOfAnotherApp,
)
def refresh_login(body: RefreshBody) -> sessions.Tokens:
    """Get new tokens with the refresh token.

    Replaces both tokens of the session. Store the new `refresh_token`, because each one works
    once. If the response was lost, the same request returns it again within 30 seconds.

    A refresh token that is used again later ends the session, because it may be stolen.
    """
    return refresh.refresh_login(body.refresh_token, this_device(), this_app().appid)


@blp.post("/logout", tags=[SESSION])
@any_login_to_end
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out(body: EmptyBody) -> None:
    """Log out.

    Ends the session of the token, which may have expired. Delete the stored tokens afterwards.
    The WeChat identity stays bound, so the next `wx.login` logs the user in again.
    """
    sessions.end_session(this_principal())


@blp.post("/logout-all", tags=[SESSION])
@bound_login
@blp.arguments(EmptyRequest, required=False)
@blp.response(204)
def log_out_everywhere(body: EmptyBody) -> None:
    """Log out on all devices.

    Ends every session of the user in all mini-programs of the tenant, including this one. Use
    it if a phone was lost.
    """
    own_sessions.end_all_sessions(this_principal(), this_device())
