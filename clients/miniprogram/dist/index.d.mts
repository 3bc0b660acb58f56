/** Cancellation and waiting. Mini-programs have no AbortController. */
/** A promise whose request can be stopped. */
interface Call<T> extends Promise<T> {
    /** Stop the request. The promise rejects with the reason `aborted`, unless it is settled. */
    abort(): void;
}

interface components {
    schemas: {
        /** @description A user's account and password, both required. */
        CredentialsRequest: {
            /**
             * @description Login name of the user in the tenant.
             * @example wang.xiaoming
             */
            account: string;
            /**
             * @description Password of the user.
             * @example correct-horse-42
             */
            password: string;
        };
        /** @description A login. `user` and `refresh_token` are null while the login is unbound. */
        LoginResponse: {
            /**
             * @description True if the login belongs to a user. If false, verify a phone number or bind an account next.
             * @example true
             */
            readonly bound: boolean;
            /**
             * @description Lifetime of the login token in seconds.
             * @example 7200
             */
            expires_in: number;
            /**
             * @description openid of the person in this mini-program. Null after a login with account and password.
             * @example oAcme0example0openid0of0wang
             */
            openid: string | null;
            /**
             * @description Single-use token for `refresh`, valid for 30 days. Null while the login is unbound.
             * @example wxr_example-refresh-token
             */
            refresh_token: string | null;
            /**
             * @description Login token. Send it as `Authorization: Bearer <token>`. Each use extends its lifetime while the login is bound.
             * @example wxp_example-login-token
             */
            token: string;
            /**
             * @description unionid of the person. Null after a login with account and password, or if the mini-program is not linked to a WeChat open platform.
             * @example oExample0unionid0of0wang0000
             */
            unionid: string | null;
            /** @description The user of the login. Null while the login is unbound. */
            user: components["schemas"]["UserResponse"] | (Record<string, never> | null);
        } & {
            [key: string]: unknown;
        };
        /** @description An empty object, or no body. */
        EmptyRequest: Record<string, never>;
        /** @description A JWT for business back ends. It is not a login token. */
        JwtResponse: {
            /**
             * @description Lifetime of the JWT in seconds.
             * @example 600
             */
            expires_in: number;
            /**
             * @description Signed JWT. `sub` is the user id, `aud` the appid, `tenant_id` the tenant.
             * @example eyJhbGciOiJFZERTQSJ9.example-claims.example-signature
             */
            jwt: string;
        } & {
            [key: string]: unknown;
        };
        /** @description The code of `wx.login`. With account and password, the login is also bound to that user. */
        LoginRequest: {
            /**
             * @description Login name of a user. Sent with `password`, it also binds the WeChat identity to that user.
             * @example wang.xiaoming
             */
            account?: string;
            /**
             * @description The code that `wx.login` returned. It works once, within five minutes.
             * @example 0a1B2c3D4e5F6g7H8i9J
             */
            code: string;
            /**
             * @description Password of the user. Required with `account`.
             * @example correct-horse-42
             */
            password?: string;
        };
        /** @description The data of the `getPhoneNumber` button. */
        PhoneRequest: {
            /**
             * @description `e.detail.code` of the `getPhoneNumber` button. It is not the code of `wx.login`.
             * @example e31968a7f94cc5ee25fafc2aef2773f0bb8c3937b22520eb8ee345274d00c144
             */
            code?: string;
            /**
             * @description `e.detail.encryptedData` of the button, for clients without `code`.
             * @example ZXhhbXBsZSBvZiBlbmNyeXB0ZWREYXRhIGZyb20gV2VDaGF0Lg==
             */
            encryptedData?: string;
            /**
             * @description `e.detail.iv` of the button. Required with `encryptedData`.
             * @example aW5pdGlhbGl6YXRpb24tdg==
             */
            iv?: string;
        };
        /** @description A nickname that the person entered, with an optional avatar, or open data from WeChat. */
        ProfileRequest: {
            /**
             * Format: url
             * @description https URL of a picture that you store. A temporary file path of WeChat is rejected.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url?: string;
            /**
             * @description `encryptedData` of `wx.getUserInfo`, unchanged.
             * @example ZXhhbXBsZSBvZiBlbmNyeXB0ZWREYXRhIGZyb20gV2VDaGF0Lg==
             */
            encryptedData?: string;
            /**
             * @description `iv` of `wx.getUserInfo`, unchanged.
             * @example aW5pdGlhbGl6YXRpb24tdg==
             */
            iv?: string;
            /**
             * @description Nickname that the person entered, up to 64 characters.
             * @example 王小明
             */
            nickname?: string;
            /**
             * @description `rawData` of `wx.getUserInfo`, unchanged.
             * @example {"nickName":"王小明","gender":0,"avatarUrl":"https://thmirror.example/wang.jpg"}
             */
            rawData?: string;
            /**
             * @description `signature` of `wx.getUserInfo`, 40 hexadecimal digits.
             * @example 75e81ceda165f4ffa64f4068af58c64b8f54b88c
             */
            signature?: string;
        };
        /** @description The stored nickname and avatar. */
        ProfileResponse: {
            /**
             * @description https URL of the avatar. Null if none is stored.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url: string | null;
            /**
             * @description Nickname. Null if none is stored.
             * @example 王小明
             */
            nickname: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description A single-use refresh token. */
        RefreshRequest: {
            /**
             * @description The newest `refresh_token`. Each one works once.
             * @example wxr_example-refresh-token
             */
            refresh_token: string;
        };
        /** @description The new login token and refresh token. */
        TokensResponse: {
            /**
             * @description Lifetime of the login token in seconds.
             * @example 7200
             */
            expires_in: number;
            /**
             * @description New refresh token. Store it instead of the old one.
             * @example wxr_example-refresh-token
             */
            refresh_token: string | null;
            /**
             * @description New login token. The old one stops working.
             * @example wxp_example-login-token
             */
            token: string;
        } & {
            [key: string]: unknown;
        };
        /** @description The state of a closed account, or of the erased data of an unbound login. */
        ClosingResponse: {
            /**
             * Format: date-time
             * @description A login before this time keeps the account. The data of an unbound login is erased immediately, and this is the time of the request.
             * @example 2026-12-29T08:15:00+00:00
             */
            erase_after: string;
            /**
             * @description True if the personal data is already erased.
             * @example false
             */
            erased: boolean;
        } & {
            [key: string]: unknown;
        };
        /** @description The logged-in user. */
        UserResponse: {
            /**
             * @description Login name of the user. Null if the user has none.
             * @example wang.xiaoming
             */
            account: string | null;
            /**
             * @description https URL of the avatar. Null if none is stored.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url: string | null;
            /**
             * @description Gender: 0 is unknown, 1 male, 2 female.
             * @example 0
             */
            gender: number;
            /**
             * Format: uuid
             * @description Id of the user.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            id: string;
            /**
             * @description Level of the user, for use by your back end. 0 if it was never set.
             * @example 0
             */
            level: number;
            /**
             * @description Nickname. Null if none is stored.
             * @example 王小明
             */
            nickname: string | null;
            /**
             * @description Verified phone number in E.164 format. Null if the user has none.
             * @example +8613800138000
             */
            phone: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description The profile fields that the logged-in user may change. */
        ProfileChangeRequest: {
            /**
             * Format: url
             * @description https URL of the new avatar.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url?: string;
            /**
             * @description 0 is unknown, 1 male, 2 female.
             * @example 0
             * @enum {integer}
             */
            gender?: 0 | 1 | 2;
            /**
             * @description New nickname, up to 64 characters.
             * @example 王小明
             */
            nickname?: string;
        };
        /** @description All personal data of the logged-in user, or of an unbound login. */
        ExportResponse: {
            /** @description Audit events of the user. */
            audit_events: components["schemas"]["AuditEventExport"][];
            /** @description Recent exchanges of `wx.login` codes. */
            code_exchanges: components["schemas"]["CodeExchangeExport"][];
            /** @description WeChat identities, one per mini-program. */
            identities: components["schemas"]["IdentityExport"][];
            /** @description Merges of users. */
            merges: components["schemas"]["MergeExport"][];
            /** @description Counts of failed passwords. */
            password_tries: components["schemas"]["PasswordTryExport"][];
            /** @description Verified phone numbers. */
            phones: components["schemas"]["PhoneExport"][];
            /** @description Messages that WeChat pushed about the user. */
            pushes: components["schemas"]["PushExport"][];
            /** @description Metadata of WeChat session_keys. The keys are left out. */
            session_keys: components["schemas"]["SessionKeyExport"][];
            /** @description Login sessions, active and ended. */
            sessions: components["schemas"]["SessionExport"][];
            /** @description The user, and the users merged into that user. Empty for an unbound login. */
            users: components["schemas"]["UserExport"][];
        } & {
            [key: string]: unknown;
        };
        /** @description The logged-in user's current password and new password. */
        PasswordChangeRequest: {
            /**
             * @description New password, at least 8 characters and not easy to guess.
             * @example staple-battery-77
             */
            new_password: string;
            /**
             * @description Current password.
             * @example correct-horse-42
             */
            old_password: string;
        };
        /** @description A login session of the user, as shown to that user. */
        SessionResponse: {
            /**
             * @description IP address. Null if unknown.
             * @example 203.0.113.7
             */
            address: string | null;
            /**
             * @description Name of the mini-program.
             * @example Acme Shop
             */
            app_name: string;
            /**
             * @description Appid of the mini-program.
             * @example wxaaaa000000000001
             */
            appid: string;
            /**
             * @description True for the session of the token that sent this request.
             * @example true
             */
            current: boolean;
            /**
             * @description Device, derived from the `User-Agent` header. Null if unknown.
             * @example WeChat on iPhone
             */
            device: string | null;
            /**
             * Format: date-time
             * @description Time of the login.
             * @example 2026-11-29T08:00:00+00:00
             */
            first_seen_at: string;
            /**
             * Format: uuid
             * @description Id of the session.
             * @example 0199c0de-0000-7000-8000-000000000021
             */
            id: string;
            /**
             * Format: date-time
             * @description Time of the last request, to the minute.
             * @example 2026-11-29T08:15:00+00:00
             */
            last_seen_at: string;
        } & {
            [key: string]: unknown;
        };
        /** @description An audit event of which the user is the actor or the subject. */
        AuditEventExport: {
            /**
             * @description What was done, for example `user.password_changed`.
             * @example user.password_changed
             */
            action: string;
            /**
             * Format: uuid
             * @description Id of the actor. Null if the actor is no user or operator.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            actor_id: string | null;
            /**
             * @description Who acted: `user`, `operator`, `wechat` or `system`.
             * @example user
             */
            actor_kind: string;
            /**
             * Format: date-time
             * @description Time of the event.
             * @example 2026-11-29T08:00:00+00:00
             */
            created_at: string;
            /**
             * @description Changed values in `before` and `after`, and ids.
             * @example {}
             */
            details: {
                [key: string]: unknown;
            };
            /**
             * Format: uuid
             * @description Id of the event.
             * @example 0199c0de-0000-7000-8000-000000000081
             */
            id: string;
            /**
             * @description IP address. Null if unknown.
             * @example 203.0.113.7
             */
            ip: string | null;
            /**
             * @description Id of the changed object.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            subject: string;
        } & {
            [key: string]: unknown;
        };
        /** @description A recent exchange of a `wx.login` code. */
        CodeExchangeExport: {
            /**
             * @description Appid of the mini-program.
             * @example wxaaaa000000000001
             */
            appid: string;
            /**
             * Format: date-time
             * @description Time of the exchange.
             * @example 2026-11-29T08:00:00+00:00
             */
            asked_at: string;
            /**
             * Format: uuid
             * @description Id of the session that the exchange opened.
             * @example 0199c0de-0000-7000-8000-000000000021
             */
            session_id: string;
        } & {
            [key: string]: unknown;
        };
        /** @description A WeChat identity in one mini-program. */
        IdentityExport: {
            /**
             * @description Appid of the mini-program.
             * @example wxaaaa000000000001
             */
            appid: string;
            /**
             * @description https URL of the avatar. Null if none is stored.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url: string | null;
            /**
             * Format: date-time
             * @description Time of creation.
             * @example 2026-11-29T08:00:00+00:00
             */
            created_at: string;
            /**
             * Format: uuid
             * @description Id of the WeChat identity.
             * @example 0199c0de-0000-7000-8000-000000000011
             */
            id: string;
            /**
             * @description False after the person has unbound the identity, which then is not bound by unionid again.
             * @example true
             */
            joins_by_unionid: boolean;
            /**
             * Format: date-time
             * @description Time of the last `wx.login` in the mini-program.
             * @example 2026-11-29T08:00:00+00:00
             */
            last_login_at: string;
            /**
             * Format: uuid
             * @description Id of the merge that moved the identity. Null if none did.
             * @example null
             */
            merge_id: string | null;
            /**
             * @description Nickname. Null if none is stored.
             * @example 王小明
             */
            nickname: string | null;
            /**
             * @description openid of the person in this mini-program.
             * @example oAcme0example0openid0of0wang
             */
            openid: string;
            /**
             * @description unionid of the person. Null if the mini-program is not linked to a WeChat open platform.
             * @example oExample0unionid0of0wang0000
             */
            unionid: string | null;
            /**
             * Format: uuid
             * @description Id of the bound user. Null while unbound.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            user_id: string | null;
        } & {
            [key: string]: unknown;
        };
        /** @description A merge of `merged_user_id` into `user_id`. */
        MergeExport: {
            /**
             * Format: uuid
             * @description Id of the merge.
             * @example 0199c0de-0000-7000-8000-000000000061
             */
            id: string;
            /**
             * Format: date-time
             * @description Time of the merge.
             * @example 2026-11-29T08:00:00+00:00
             */
            merged_at: string;
            /**
             * Format: uuid
             * @description Id of the user that was merged.
             * @example 0199c0de-0000-7000-8000-000000000002
             */
            merged_user_id: string;
            /**
             * @description Number of moved WeChat identities.
             * @example 1
             */
            moved: number;
            /**
             * Format: uuid
             * @description Id of the phone number that was moved. Null if there was none.
             * @example null
             */
            phone_id: string | null;
            /**
             * Format: uuid
             * @description Id of the user that remains.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            user_id: string;
        } & {
            [key: string]: unknown;
        };
        /** @description A counter of failed password attempts, or a known device with a count of zero. */
        PasswordTryExport: {
            /**
             * Format: date-time
             * @description Time of the last count.
             * @example 2026-11-29T08:00:00+00:00
             */
            counted_at: string;
            /**
             * Format: date-time
             * @description Time at which this record is deleted.
             * @example 2026-12-29T08:15:00+00:00
             */
            forgotten_at: string;
            /**
             * Format: date-time
             * @description Attempts are rejected before this time.
             * @example 2026-11-29T08:00:00+00:00
             */
            held_until: string;
            /**
             * @description Decaying count of failed attempts.
             * @example 0
             */
            level: number;
        } & {
            [key: string]: unknown;
        };
        /** @description A verified phone number, not masked. */
        PhoneExport: {
            /**
             * @description Country code without the plus sign.
             * @example 86
             */
            country_code: number;
            /**
             * Format: uuid
             * @description Id of the phone number.
             * @example 0199c0de-0000-7000-8000-000000000071
             */
            id: string;
            /**
             * @description Phone number in E.164 format.
             * @example +8613800138000
             */
            number: string;
            /**
             * Format: uuid
             * @description Id of the user.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            user_id: string;
            /**
             * Format: date-time
             * @description Time of the verification.
             * @example 2026-11-29T08:00:00+00:00
             */
            verified_at: string;
        } & {
            [key: string]: unknown;
        };
        /** @description A message that WeChat pushed about the user. `message` is null once the text is erased. */
        PushExport: {
            /**
             * @description Appid of the mini-program.
             * @example wxaaaa000000000001
             */
            appid: string;
            /**
             * @description Event of the message, for example `user_info_modified`.
             * @example user_info_modified
             */
            event: string;
            /**
             * Format: date-time
             * @description Time at which it was handled. Null if it is pending.
             * @example 2026-11-29T08:15:00+00:00
             */
            handled_at: string | null;
            /**
             * Format: uuid
             * @description Id of the message.
             * @example 0199c0de-0000-7000-8000-000000000081
             */
            id: string;
            /**
             * @description Text of the message. Null once it is erased.
             * @example null
             */
            message: string | null;
            /**
             * Format: date-time
             * @description Time of arrival.
             * @example 2026-11-29T08:00:00+00:00
             */
            received_at: string;
        } & {
            [key: string]: unknown;
        };
        /** @description Metadata of a stored WeChat session_key. The key itself is left out. */
        SessionKeyExport: {
            /**
             * Format: date-time
             * @description Time at which WeChat returned the session_key.
             * @example 2026-11-29T08:00:00+00:00
             */
            asked_at: string;
            /**
             * Format: uuid
             * @description Id of the stored session_key.
             * @example 0199c0de-0000-7000-8000-000000000081
             */
            id: string;
            /**
             * Format: uuid
             * @description Id of the WeChat identity.
             * @example 0199c0de-0000-7000-8000-000000000011
             */
            social_account_id: string;
        } & {
            [key: string]: unknown;
        };
        /** @description A login session, active or ended. */
        SessionExport: {
            /**
             * @description Appid of the mini-program.
             * @example wxaaaa000000000001
             */
            appid: string;
            /**
             * Format: date-time
             * @description Time of creation.
             * @example 2026-11-29T08:00:00+00:00
             */
            created_at: string;
            /**
             * @description Device, derived from the `User-Agent` header. Null if unknown.
             * @example WeChat on iPhone
             */
            device: string | null;
            /**
             * @description Why the session was ended, for example `logged_out` or `password_changed`. Null if it was not ended.
             * @example null
             */
            end_reason: string | null;
            /**
             * Format: date-time
             * @description Time at which the session was ended. Null if it was not ended.
             * @example null
             */
            ended_at: string | null;
            /**
             * Format: date-time
             * @description Time at which the login token expires.
             * @example 2026-11-29T08:15:00+00:00
             */
            expires_at: string;
            /**
             * Format: uuid
             * @description Id of the session.
             * @example 0199c0de-0000-7000-8000-000000000021
             */
            id: string;
            /**
             * @description IP address. Null if unknown.
             * @example 203.0.113.7
             */
            ip: string | null;
            /**
             * Format: date-time
             * @description Time at which the refresh token expires. Null without one.
             * @example 2026-12-29T08:15:00+00:00
             */
            refresh_expires_at: string | null;
            /**
             * Format: date-time
             * @description Time of the last refresh. Null if there was none.
             * @example null
             */
            refreshed_at: string | null;
            /**
             * Format: date-time
             * @description Time of the last request, to the minute.
             * @example 2026-11-29T08:15:00+00:00
             */
            seen_at: string;
            /**
             * Format: uuid
             * @description Id of the WeChat identity. Null for a login with account and password.
             * @example 0199c0de-0000-7000-8000-000000000011
             */
            social_account_id: string | null;
            /**
             * Format: uuid
             * @description Id of the bound user. Null while unbound.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            user_id: string | null;
            /**
             * @description True if the session was ever bound to a user.
             * @example true
             */
            was_bound: boolean;
        } & {
            [key: string]: unknown;
        };
        /** @description The user who asked for the export, or a user merged into that user. */
        UserExport: {
            /**
             * @description Login name of the user. Null if the user has none.
             * @example wang.xiaoming
             */
            account: string | null;
            /**
             * @description https URL of the avatar. Null if none is stored.
             * @example https://cdn.acme.example/avatars/wang.jpg
             */
            avatar_url: string | null;
            /**
             * Format: date-time
             * @description Time of creation.
             * @example 2026-11-29T08:00:00+00:00
             */
            created_at: string;
            /**
             * Format: date-time
             * @description Time at which a closed account is erased. Null for an open account.
             * @example null
             */
            erase_after: string | null;
            /**
             * @description Gender: 0 is unknown, 1 male, 2 female.
             * @example 0
             */
            gender: number;
            /**
             * @description True if the user has a password.
             * @example true
             */
            readonly has_password: boolean;
            /**
             * Format: uuid
             * @description Id of the user.
             * @example 0199c0de-0000-7000-8000-000000000001
             */
            id: string;
            /**
             * Format: date-time
             * @description Time of the last login.
             * @example 2026-11-29T08:00:00+00:00
             */
            last_login_at: string | null;
            /**
             * @description IP address of the last login.
             * @example 203.0.113.7
             */
            last_login_ip: string | null;
            /**
             * @description Level of the user, for use by your back end. 0 if it was never set.
             * @example 0
             */
            level: number;
            /**
             * Format: uuid
             * @description Id of the user that this user was merged into. Null if it was not merged.
             * @example null
             */
            merged_into_id: string | null;
            /**
             * @description Nickname. Null if none is stored.
             * @example 王小明
             */
            nickname: string | null;
            /**
             * @description `active`, `disabled`, or `merged` if the user was merged into another.
             * @example active
             */
            status: string;
        } & {
            [key: string]: unknown;
        };
        /** @description Problem details (RFC 9457). `code` is stable, `detail` is a message for people. */
        ProblemResponse: {
            /**
             * @description Stable error code. Compare this field. New codes may be added.
             * @example session_expired
             */
            code: string;
            /**
             * @description Message for people, in Chinese or English, by `Accept-Language`.
             * @example The login has expired. Refresh it, or call wx.login and log in again.
             */
            detail: string;
            /**
             * @description Messages by field name, if fields are invalid.
             * @example {
             *       "code": [
             *         "Missing data for required field."
             *       ]
             *     }
             */
            errors?: {
                [key: string]: unknown;
            };
            /**
             * @description Id of the request in the log. Report it with a problem.
             * @example 4f1d2c3b5a69788796a5b4c3d2e1f001
             */
            request_id: string;
            /**
             * @description HTTP status of the response.
             * @example 401
             */
            status: number;
            /**
             * @description The error code in words.
             * @example session expired
             */
            title: string;
            /**
             * @description URN of the error code.
             * @example urn:wxpass:problem:session_expired
             */
            type: string;
        } & {
            [key: string]: unknown;
        };
    };
    responses: {
        /**
         * @description Errors that every operation may return.
         *
         *     - `bad_request`: The request is malformed. Check its syntax.
         *     - `not_found`: There is no endpoint at this address. See /openapi.json for all endpoints.
         *     - `method_not_allowed`: This endpoint does not support the HTTP method. The Allow header lists the supported methods.
         *     - `request_timeout`: The request took too long to arrive. Send it again.
         *     - `body_too_large`: The request is too large. Send less data.
         *     - `internal`: An internal error occurred. Try again. If it persists, report the request id.
         *     - `database_unavailable`: The database is not available right now. Try again shortly.
         */
        Problem: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["ProblemResponse"];
            };
        };
    };
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}

/** Events of WeChat's buttons and forms, read into request bodies. */
/** The event of a phone button, or its `detail`. */
interface PhoneEvent {
    detail?: any;
    [field: string]: any;
}
/** The event of a user-info button or a form, its `detail`, or the values themselves. */
type ProfileEvent = PhoneEvent;

/** Errors of the client: one shape for failures of the service, the network and the phone. */
/**
 * What a failure means for the mini-program. `code` of the error is more precise.
 *
 * - `expired`: The session ended by time or its token is unknown, and it could not be renewed.
 * - `replaced`: Another token took the place of this one, and the session could not be renewed.
 * - `revoked`: An administrator, another device or a password change ended the session.
 * - `ended`: The session was logged out.
 * - `disabled`: The user, the mini-program or the organisation is disabled.
 * - `unbound`: The person is not a user yet. Show the phone button.
 * - `changed`: The renewed login belongs to another user. The request was not repeated.
 * - `declined`: The person declined in a dialog of WeChat.
 * - `privacy`: The person has not accepted the privacy agreement.
 * - `unavailable`: WeChat does not offer the phone number here. Show another way to log in.
 * - `busy`: Too many requests, or the service is overloaded. See `retryAfter`.
 * - `network`, `timeout`, `aborted`: No response arrived.
 * - `server`: The service or a proxy failed, or the response is not JSON.
 * - `refused`: Any other refusal. Show `message`.
 */
type Reason = "expired" | "replaced" | "revoked" | "ended" | "disabled" | "unbound" | "changed" | "declined" | "privacy" | "unavailable" | "busy" | "network" | "timeout" | "aborted" | "server" | "refused";
/** The error that every call of the client rejects with. */
interface WxpassError extends Error {
    name: "WxpassError";
    /** A stable code of the service (docs/errors.md) or of the client (README). */
    code: string;
    reason: Reason;
    /** HTTP status, or 0 if there was no response. */
    status: number;
    /** Seconds to wait before the next attempt, or null. */
    retryAfter: number | null;
    /** `X-Request-Id` of the response, or null. */
    requestId: string | null;
    /** Messages about single fields of the request, or null. */
    errors: {
        [field: string]: unknown;
    } | null;
}
/** Return whether a value is an error of this client. */
declare function isWxpassError(value: unknown): value is WxpassError;

/** The events `login` and `kicked`. */

/** The argument of the listeners of each event. */
interface Events {
    /** A login, a binding or an unbinding succeeded. */
    login: Login;
    /** The session is lost and was not renewed. The error says why. */
    kicked: WxpassError;
}
/** Adds and calls listeners. */
interface Emitter {
    on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void;
    emit<E extends keyof Events>(event: E, value: Events[E]): void;
}

/** What the client needs of the platform that it runs on. */
/** One HTTP request. `data` is sent as JSON. */
interface TransportRequest {
    url: string;
    method: string;
    data?: unknown;
    header: {
        [name: string]: string;
    };
    /** Milliseconds. */
    timeout: number;
}
/** The response, whatever its status. `data` may be parsed JSON or text. */
interface TransportResponse {
    statusCode: number;
    header?: {
        [name: string]: unknown;
    };
    data?: unknown;
}
/** A request under way. */
interface Exchange {
    /** Resolves to the response, and rejects with a WxpassError if none arrives. */
    response: Promise<TransportResponse>;
    /** Stop the request, if the platform can. */
    abort(): void;
}
/** A platform: HTTP, `login`, and storage. Write your own one for a platform that has none here. */
interface Transport {
    send(request: TransportRequest): Exchange;
    /** Return a new code of `wx.login`. */
    login(): Promise<string>;
    /** Return whether the session_key of the last code is still valid. */
    checkSession(): Promise<boolean>;
    /** Return the appid of the running mini-program, or "" if the platform does not know it. */
    appid(): string;
    /** Return a stored text, or anything else if there is none. May throw. */
    read(key: string): unknown;
    /** Store a text. May throw. */
    write(key: string, text: string): void;
}

/** Public types. Those of the service are generated from its OpenAPI description. */

type Schemas = components["schemas"];
/** A user, as `GET /v1/me` returns it. */
type User = Schemas["UserResponse"];
/** One of the user's sessions. */
type SessionInfo = Schemas["SessionResponse"];
/** The stored nickname and avatar. */
type Profile = Schemas["ProfileResponse"];
/** The state of a login. `user` is null while the person is not a user yet. */
interface Login {
    bound: boolean;
    user: User | null;
}
/** Options of `createClient`. */
interface ClientOptions {
    /** Address of wxpass, with its path prefix if it has one. */
    baseUrl: string;
    /** Default: the appid of the running mini-program. */
    appid?: string;
    /** Default: `wxTransport()`. */
    transport?: Transport;
    /** Milliseconds that one attempt may take. Default: 10000. */
    timeout?: number;
    /** The longest `Retry-After`, in seconds, that a call waits for. Default: 10. */
    longestWait?: number;
    /** Language of messages. Default: that of the phone. */
    language?: "en" | "zh-CN";
    /** Other origins that get the login token, such as `https://api.example.com`. Default: none. */
    tokenOrigins?: string[];
}
/** Options of `request`. */
interface RequestOptions {
    /** A path at the base URL, or a URL of one of `tokenOrigins`. */
    url: string;
    /** Default: GET. `wx.request` cannot send PATCH. */
    method?: "GET" | "POST" | "PUT" | "DELETE";
    /** Sent as JSON, or with GET as the query. */
    data?: object;
    header?: {
        [name: string]: string;
    };
    /** Milliseconds that one attempt may take. Default: that of the client. */
    timeout?: number;
}
/** Options of `login`. */
interface LoginOptions {
    /** Open a new session even if there is one. For actions that need a recent login. */
    fresh?: boolean;
    /** Open a new session if `wx.checkSession` fails. For base libraries below 2.21.2. */
    sessionKey?: boolean;
}
/** A page of `sessions`. */
interface SessionPage {
    items: SessionInfo[];
    /** The cursor of the next page, or null. */
    next: string | null;
}
/** A client of wxpass. Every call rejects with a WxpassError. */
interface Client {
    readonly appid: string;
    /**
     * Resume the stored session, or open one with `wx.login`. Shows no dialog. Calls that run at the
     * same time share one login. Resolves to the user, or to `bound: false` for a new person.
     * Rejects with `disabled`, `busy`, `network` and others; with `revoked`, `expired` or `replaced`
     * only if the session was opened by account and password.
     */
    login(options?: LoginOptions): Promise<Login>;
    /** Log in with account and password, without WeChat. Rejects with the code `credentials_wrong`. */
    passwordLogin(account: string, password: string): Promise<Login>;
    /**
     * Bind the person by phone, with the event of the phone button. Resolves to the login. Rejects
     * with `declined`, `privacy` or `unavailable` if there is no phone number.
     */
    onPhone(event: PhoneEvent): Promise<Login>;
    /** Bind the person to the user with this account and password. Resolves to the login. */
    bindAccount(account: string, password: string): Promise<Login>;
    /** Detach the WeChat identity from the user. Resolves to the login that remains. */
    unbind(): Promise<Login>;
    /**
     * Store nickname and avatar, from a form with `nickname` and `avatar_url`, or from a user-info
     * button. Resolves to what is stored. Rejects with the code `avatar_not_uploaded` for a local path.
     */
    onProfile(event: ProfileEvent): Promise<Profile>;
    /** Resolve to the user. Rejects with `unbound` if the person is not a user yet. */
    me(): Call<User>;
    /** Resolve to the user's active sessions, newest login first. */
    sessions(page?: {
        cursor?: string;
        limit?: number;
    }): Promise<SessionPage>;
    /** End one session of the user. */
    endSession(id: string): Promise<void>;
    /** End all sessions of the user but this one. */
    endOtherSessions(): Promise<void>;
    /**
     * Log out: forget the session, then end it in the service. With `everywhere`, end all sessions of
     * the user. Rejects if the service was not reached; this phone is logged out all the same.
     */
    logout(options?: {
        everywhere?: boolean;
    }): Promise<void>;
    /** Return whether the person logged out, or was kicked, since the last login. */
    isLoggedOut(): boolean;
    /**
     * Send a request with the login token. Logs in first if there is no session. If the token is
     * refused, renews the session and repeats the request once. Resolves to the JSON body. Rejects
     * with the reason `ended` after a logout. `abort()` stops it.
     */
    request<T = unknown>(options: RequestOptions): Call<T>;
    /** Add a listener for `login` or `kicked`. Returns a function that removes it. */
    on: Emitter["on"];
}

/** The client: one mini-program at one service. */

/**
 * Return a client of wxpass. Create one for each appid, when the mini-program starts, and share it.
 * Throws an Error if `baseUrl` is no address, or if the appid is unknown.
 */
declare function createClient(options: ClientOptions): Client;
/**
 * Return the client that `createClient` made for an appid, or the newest one. Throws an Error if
 * there is none. The native component finds its client here.
 */
declare function getClient(appid?: string): Client;

/** Transports over the API that WeChat, uni-app and Taro share, and over WeChat's cloud gateway. */

/** The functions used of `wx`, `uni` or `Taro`. */
interface PlatformApi {
    request(options: any): any;
    login(options: any): any;
    checkSession?(options: any): any;
    getAccountInfoSync?(): {
        miniProgram: {
            appId: string;
        };
    };
    getStorageSync(key: string): any;
    setStorageSync(key: string, data: any): void;
}
/** `wx` with the cloud API of base library 2.23.0. The mini-program calls `wx.cloud.init` itself. */
interface CloudApi extends PlatformApi {
    cloud: {
        callContainer(options: any): any;
    };
}
/** Return the transport of a native mini-program, over `wx`. */
declare function wxTransport(api?: PlatformApi): Transport;
/** Return the transport of a uni-app that runs in WeChat, over `uni`. */
declare function uniTransport(api?: PlatformApi): Transport;
/** Return the transport of a Taro app that runs in WeChat. Give it the module `@tarojs/taro`. */
declare function taroTransport(api: PlatformApi): Transport;
/** The container that `callContainer` reaches: the id of the environment, the name of the service. */
interface Container {
    env: string;
    service: string;
}
/**
 * Return a transport that sends requests through `wx.cloud.callContainer`, so that the
 * mini-program needs no request domain. An aborted request goes on; its response is ignored.
 */
declare function cloudTransport(container: Container, api?: CloudApi): Transport;

export { cloudTransport, createClient, getClient, isWxpassError, taroTransport, uniTransport, wxTransport };
export type { Call, Client, ClientOptions, CloudApi, Container, Events, Exchange, Login, LoginOptions, PhoneEvent, PlatformApi, Profile, ProfileEvent, Reason, RequestOptions, SessionInfo, SessionPage, Transport, TransportRequest, TransportResponse, User, WxpassError };
