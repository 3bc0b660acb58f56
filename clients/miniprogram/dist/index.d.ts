/** Cancellation and waiting. Mini-programs have no AbortController. */
/** A promise whose request can be stopped. */
interface Call<T> extends Promise<T> {
    /** Stop the request. The promise rejects with the reason `aborted`, unless it is settled. */
    abort(): void;
}

interface components {
    schemas: {
        CredentialsRequest: {
            account: string;
            password: string;
        };
        LoginResponse: {
            readonly bound: boolean;
            /** @description Lifetime of the login token in seconds */
            expires_in: number;
            openid: string | null;
            refresh_token: string | null;
            token: string;
            unionid: string | null;
            user: (Record<string, never> | null) | components["schemas"]["UserResponse"];
        } & {
            [key: string]: unknown;
        };
        EmptyRequest: Record<string, never>;
        JwtResponse: {
            /** @description Seconds */
            expires_in: number;
            jwt: string;
        } & {
            [key: string]: unknown;
        };
        LoginRequest: {
            account?: string;
            /** @description The code that `wx.login` returned. */
            code: string;
            password?: string;
        };
        PhoneRequest: {
            code?: string;
            encryptedData?: string;
            iv?: string;
        };
        ProfileRequest: {
            /** Format: url */
            avatar_url?: string;
            encryptedData?: string;
            iv?: string;
            nickname?: string;
            rawData?: string;
            signature?: string;
        };
        ProfileResponse: {
            avatar_url: string | null;
            nickname: string | null;
        } & {
            [key: string]: unknown;
        };
        RefreshRequest: {
            refresh_token: string;
        };
        TokensResponse: {
            expires_in: number;
            refresh_token: string | null;
            token: string;
        } & {
            [key: string]: unknown;
        };
        ClosingResponse: {
            /**
             * Format: date-time
             * @description A login before this time keeps the account. Data of a visitor is erased immediately, the time of the request
             */
            erase_after: string;
            /** @description Whether the personal data is already erased */
            erased: boolean;
        } & {
            [key: string]: unknown;
        };
        UserResponse: {
            account: string | null;
            avatar_url: string | null;
            /** @description 0 unknown, 1 male, 2 female */
            gender: number;
            /** Format: uuid */
            id: string;
            level: number;
            nickname: string | null;
            /** @description E.164 */
            phone: string | null;
        } & {
            [key: string]: unknown;
        };
        ProfileChangeRequest: {
            /** Format: url */
            avatar_url?: string;
            /** @enum {integer} */
            gender?: 0 | 1 | 2;
            nickname?: string;
        };
        ExportResponse: {
            audit_events: components["schemas"]["AuditEventExport"][];
            code_exchanges: components["schemas"]["CodeExchangeExport"][];
            identities: components["schemas"]["IdentityExport"][];
            merges: components["schemas"]["MergeExport"][];
            password_tries: components["schemas"]["PasswordTryExport"][];
            phones: components["schemas"]["PhoneExport"][];
            pushes: components["schemas"]["PushExport"][];
            session_keys: components["schemas"]["SessionKeyExport"][];
            sessions: components["schemas"]["SessionExport"][];
            users: components["schemas"]["UserExport"][];
        } & {
            [key: string]: unknown;
        };
        PasswordChangeRequest: {
            new_password: string;
            old_password: string;
        };
        SessionResponse: {
            address: string | null;
            app_name: string;
            appid: string;
            /** @description Whether the session belongs to the token of this request */
            current: boolean;
            /** @description Derived from the User-Agent header */
            device: string | null;
            /** Format: date-time */
            first_seen_at: string;
            /** Format: uuid */
            id: string;
            /**
             * Format: date-time
             * @description To the minute
             */
            last_seen_at: string;
        } & {
            [key: string]: unknown;
        };
        AuditEventExport: {
            action: string;
            /** Format: uuid */
            actor_id: string | null;
            actor_kind: string;
            /** Format: date-time */
            created_at: string;
            details: {
                [key: string]: unknown;
            };
            /** Format: uuid */
            id: string;
            ip: string | null;
            subject: string;
        } & {
            [key: string]: unknown;
        };
        CodeExchangeExport: {
            appid: string;
            /** Format: date-time */
            asked_at: string;
            /** Format: uuid */
            session_id: string;
        } & {
            [key: string]: unknown;
        };
        IdentityExport: {
            appid: string;
            avatar_url: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: uuid */
            id: string;
            joins_by_unionid: boolean;
            /** Format: date-time */
            last_login_at: string;
            /** Format: uuid */
            merge_id: string | null;
            nickname: string | null;
            openid: string;
            unionid: string | null;
            /** Format: uuid */
            user_id: string | null;
        } & {
            [key: string]: unknown;
        };
        MergeExport: {
            /** Format: uuid */
            id: string;
            /** Format: date-time */
            merged_at: string;
            /** Format: uuid */
            merged_user_id: string;
            moved: number;
            /** Format: uuid */
            phone_id: string | null;
            /** Format: uuid */
            user_id: string;
        } & {
            [key: string]: unknown;
        };
        PasswordTryExport: {
            /** Format: date-time */
            counted_at: string;
            /** Format: date-time */
            forgotten_at: string;
            /** Format: date-time */
            held_until: string;
            level: number;
        } & {
            [key: string]: unknown;
        };
        PhoneExport: {
            country_code: number;
            /** Format: uuid */
            id: string;
            /** @description E.164 */
            number: string;
            /** Format: uuid */
            user_id: string;
            /** Format: date-time */
            verified_at: string;
        } & {
            [key: string]: unknown;
        };
        PushExport: {
            appid: string;
            event: string;
            /** Format: date-time */
            handled_at: string | null;
            /** Format: uuid */
            id: string;
            message: string | null;
            /** Format: date-time */
            received_at: string;
        } & {
            [key: string]: unknown;
        };
        SessionKeyExport: {
            /** Format: date-time */
            asked_at: string;
            /** Format: uuid */
            id: string;
            /** Format: uuid */
            social_account_id: string;
        } & {
            [key: string]: unknown;
        };
        SessionExport: {
            appid: string;
            /** Format: date-time */
            created_at: string;
            device: string | null;
            end_reason: string | null;
            /** Format: date-time */
            ended_at: string | null;
            /** Format: date-time */
            expires_at: string;
            /** Format: uuid */
            id: string;
            ip: string | null;
            /** Format: date-time */
            refresh_expires_at: string | null;
            /** Format: date-time */
            refreshed_at: string | null;
            /** Format: date-time */
            seen_at: string;
            /** Format: uuid */
            social_account_id: string | null;
            /** Format: uuid */
            user_id: string | null;
            was_bound: boolean;
        } & {
            [key: string]: unknown;
        };
        UserExport: {
            account: string | null;
            avatar_url: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            erase_after: string | null;
            gender: number;
            readonly has_password: boolean;
            /** Format: uuid */
            id: string;
            /** Format: date-time */
            last_login_at: string | null;
            last_login_ip: string | null;
            level: number;
            /** Format: uuid */
            merged_into_id: string | null;
            nickname: string | null;
            status: string;
        } & {
            [key: string]: unknown;
        };
        ProblemResponse: {
            code: string;
            /** @description Chinese or English, by Accept-Language */
            detail: string;
            /** @description Error messages by field name, if fields are invalid */
            errors?: {
                [key: string]: unknown;
            };
            request_id: string;
            status: number;
            title: string;
            type: string;
        } & {
            [key: string]: unknown;
        };
    };
    responses: {
        /** @description A failure, 4xx or 5xx. Its `code` is stable; one of: account_exists, app_busy, app_claim_changed, app_claim_closed, app_claim_unknown, app_claims_too_many, app_disabled, app_exists, app_held_elsewhere, app_in_use, app_not_proven, app_pending, app_release_too_large, app_released, app_taken, app_unclear, app_unknown, app_verifications_too_many, appid_invalid, bad_request, body_too_large, both_have_phones, code_invalid, code_used, codes_too_many, cookies_ambiguous, credentials_wrong, cross_site_form, cursor_invalid, database_listen_url_wrong, database_pooler_undeclared, database_read_only, database_role_unfit, database_unavailable, encryption_key_missing, encryption_key_present, encryption_key_unknown, encryption_key_wrong, enrolment_not_begun, host_not_allowed, idempotency_key_taken, idempotency_pending, identity_bound, identity_unknown, import_confirmed, import_interrupted, import_unknown, internal, invitation_invalid, json_malformed, json_required, jwt_expired, jwt_invalid, key_rotation_pending, last_platform_operator, login_too_old, login_unbound, logins_too_many, merge_too_old, merged_identities_gone, method_not_allowed, migrations_missing, no_account, no_password, no_social_account, no_user, not_found, not_merged, one_time_code_needed, one_time_code_wrong, one_time_codes_off, one_time_codes_on, open_data_malformed, open_data_of_another, open_data_too_old, open_data_unreadable, operator_exists, operator_session_unknown, operator_unknown, page_outdated, password_too_short, password_too_weak, password_wrong, passwords_busy, people_columns_wrong, people_file_big5, people_file_busy, people_file_empty, people_file_imported, people_file_not_spreadsheet, people_file_too_large, people_file_unreadable, people_passwords_too_many, people_refused, pepper_wrong, phone_country_missing, phone_invalid, phone_not_mobile, phone_number_missing, phone_owner_has_identity, phone_plus_missing, phone_search_incomplete, phone_taken, push_incomplete, push_malformed, push_not_configured, push_of_another_app, push_replayed, push_signature_wrong, push_stale, push_undecryptable, push_unencrypted, refresh_token_expired, refresh_token_invalid, refresh_token_reused, registration_closed, release_outdated, request_invalid, request_timeout, role_too_low, secret_in_use, self_change_refused, self_reset_refused, session_ended, session_expired, session_key_expired, session_replaced, session_revoked, session_unknown, sign_in_expired, sign_in_needed, sign_in_wrong, signature_wrong, social_account_taken, step_up_required, switched_off, tenant_disabled, tenant_exists, tenant_unknown, token_invalid, token_missing, token_of_another_app, token_of_another_tenant, tokens_differ, too_many_tries, user_disabled, user_merged, user_unknown, watermark_foreign, wechat_app_misconfigured, wechat_busy, wechat_circuit_open, wechat_person_blocked, wechat_rate_limited, wechat_unavailable. */
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
