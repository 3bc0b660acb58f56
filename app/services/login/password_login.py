"""Login by account and password, without a WeChat identity."""

from app.services.apps.apps import AppConfig
from app.services.database.transactions import retry_on_conflict, transaction
from app.services.login.login import Login, note_login
from app.services.metrics.logins import counted_as
from app.services.principals import Device
from app.services.sessions.sessions import SessionSeed, open_session
from app.services.users.credentials import ProvenUser, check_credentials, refuse_outdated
from app.services.users.users import get_profile


@counted_as("password")
def log_in_with_password(app: AppConfig, device: Device, account: str, password: str) -> Login:
    """Log a user of the app's tenant in without a WeChat identity.

    Raises CredentialsWrong, TooManyTries or UserDisabled.
    """
    return _open_password_session(
        app, device, check_credentials(app.tenant_id, account, password, device)
    )


@retry_on_conflict
def _open_password_session(app: AppConfig, device: Device, proven: ProvenUser) -> Login:
    user_id = proven.user_id
    with transaction() as db:
        refuse_outdated(note_login(db, app.tenant_id, user_id, device), proven)
        seed = SessionSeed.random(app.tenant_id)
        tokens = open_session(db, app, device, seed, social_account_id=None, user_id=user_id)
        return Login(tokens, get_profile(db, app.tenant_id, user_id), is_linked=True)
