"""The tables, one per file."""

from app.models.alert import Alert
from app.models.alert_channel import ALERT_CHANNEL_KINDS, AlertChannel
from app.models.alert_delivery import AlertDelivery
from app.models.alert_lease import AlertLease
from app.models.alert_mute import AlertMute
from app.models.alert_signal import AlertSignal
from app.models.answer_time import AnswerTime
from app.models.app_claim import AppClaim
from app.models.audit_event import AuditEvent
from app.models.code_exchange import CodeExchange
from app.models.daily_count import DailyCount, Measure
from app.models.daily_failure import DailyFailure
from app.models.idempotent_request import IdempotentRequest
from app.models.job_run import JobRun
from app.models.key_proof import KeyProof
from app.models.login_session import LoginSession
from app.models.merge import Merge
from app.models.minute_count import EVENTS, MinuteCount
from app.models.minute_failure import NO_ERRCODE, MinuteFailure
from app.models.operator import Operator
from app.models.operator_recovery_code import OperatorRecoveryCode
from app.models.operator_session import OperatorSession
from app.models.password_try import PasswordTry
from app.models.phone import Phone
from app.models.platform_audit_event import PlatformAuditEvent
from app.models.schema_compatibility import SchemaCompatibility
from app.models.session_key import SessionKey
from app.models.session_limit import DEFAULT_SESSION_LIMIT, SessionLimit
from app.models.signing_key import SigningKey
from app.models.social_account import SocialAccount
from app.models.tenant import Tenant
from app.models.user import User
from app.models.user_import import UserImport
from app.models.verification_budget import VerificationBudget
from app.models.wechat_access_token import WeChatAccessToken
from app.models.wechat_app import WeChatApp
from app.models.wechat_push import WeChatPush

__all__ = [
    "ALERT_CHANNEL_KINDS",
    "DEFAULT_SESSION_LIMIT",
    "EVENTS",
    "NO_ERRCODE",
    "Alert",
    "AlertChannel",
    "AlertDelivery",
    "AlertLease",
    "AlertMute",
    "AlertSignal",
    "AnswerTime",
    "AppClaim",
    "AuditEvent",
    "CodeExchange",
    "DailyCount",
    "DailyFailure",
    "IdempotentRequest",
    "JobRun",
    "KeyProof",
    "LoginSession",
    "Measure",
    "Merge",
    "MinuteCount",
    "MinuteFailure",
    "Operator",
    "OperatorRecoveryCode",
    "OperatorSession",
    "PasswordTry",
    "Phone",
    "PlatformAuditEvent",
    "SchemaCompatibility",
    "SessionKey",
    "SessionLimit",
    "SigningKey",
    "SocialAccount",
    "Tenant",
    "User",
    "UserImport",
    "VerificationBudget",
    "WeChatAccessToken",
    "WeChatApp",
    "WeChatPush",
]
