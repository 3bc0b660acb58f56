"""Values that the examples of the OpenAPI document share. None of them is a real secret."""

APPID = "wxaaaa000000000001"
APP_NAME = "Acme Shop"
SLUG = "acme"
OTHER_SLUG = "globex"
TENANT_NAME = "Acme"

USER_ID = "0199c0de-0000-7000-8000-000000000001"
OTHER_USER_ID = "0199c0de-0000-7000-8000-000000000002"
IDENTITY_ID = "0199c0de-0000-7000-8000-000000000011"
SESSION_ID = "0199c0de-0000-7000-8000-000000000021"
IMPORT_ID = "0199c0de-0000-7000-8000-000000000031"
OPERATOR_ID = "0199c0de-0000-7000-8000-000000000041"
TENANT_ID = "0199c0de-0000-7000-8000-000000000051"
MERGE_ID = "0199c0de-0000-7000-8000-000000000061"
PHONE_ID = "0199c0de-0000-7000-8000-000000000071"
CHANNEL_ID = "0199c0de-0000-7000-8000-000000000091"
ALERT_ID = "0199c0de-0000-7000-8000-0000000000a1"
MUTE_ID = "0199c0de-0000-7000-8000-0000000000b1"
RECORD_ID = "0199c0de-0000-7000-8000-000000000081"

LOGIN_TOKEN = "wxp_example-login-token"  # noqa: S105
REFRESH_TOKEN = "wxr_example-refresh-token"  # noqa: S105
JWT = "eyJhbGciOiJFZERTQSJ9.example-claims.example-signature"
CODE = "0a1B2c3D4e5F6g7H8i9J"
PHONE_CODE = "e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144"
OPENID = "oAcme0example0openid0of0wang"
UNIONID = "oExample0unionid0of0wang0000"
IV = "aW5pdGlhbGl6YXRpb24tdg=="
ENCRYPTED_DATA = "ZXhhbXBsZSBvZiBlbmNyeXB0ZWREYXRhIGZyb20gV2VDaGF0Lg=="
SIGNATURE = "75e81ceda165f4ffa64f4068af58c64b8f54b88c"
RAW_DATA = '{"nickName":"王小明","gender":0,"avatarUrl":"https://thmirror.example/wang.jpg"}'

ACCOUNT = "wang.xiaoming"
PASSWORD = "correct-horse-42"  # noqa: S105
NEW_PASSWORD = "staple-battery-77"  # noqa: S105
NICKNAME = "王小明"
AVATAR_URL = "https://cdn.acme.example/avatars/wang.jpg"
PHONE = "+8613800138000"
MASKED_PHONE = "138****8000"
EMAIL = "ann@acme.example"
ADDRESS = "203.0.113.7"
DEVICE = "WeChat on iPhone"

APP_SECRET = "0123456789abcdef0123456789abcdef"  # noqa: S105
PUSH_TOKEN = "examplePushToken"  # noqa: S105
ENCODING_AES_KEY = "exampleEncodingAESKey0123456789abcdefghijkl"
FINGERPRINT = "3f9a1c52"
ONE_TIME_CODE = "492039"
RECOVERY_CODES = ["k3m9p-x7q2v", "h8t4w-c6n1z"]
INVITATION = "example-invitation-secret"
CURSOR = "example-cursor"

YESTERDAY = "2026-11-28T09:30:00+00:00"
EARLIER = "2026-11-29T08:00:00+00:00"
NOW = "2026-11-29T08:15:00+00:00"
LATER = "2026-12-29T08:15:00+00:00"

CSV_FILE = "account,phone,nickname\nwang.xiaoming,13800138000,王小明\nli.na,13900139000,李娜\n"
EXPORTED_FILE = (
    "account,phone,nickname,status,created_at,last_login_at\n"
    "wang.xiaoming,138****8000,王小明,active,2026-11-29T08:00:00+00:00,2026-11-29T08:15:00+00:00\n"
)
