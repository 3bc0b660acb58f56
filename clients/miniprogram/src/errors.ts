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
export type Reason =
  | "expired"
  | "replaced"
  | "revoked"
  | "ended"
  | "disabled"
  | "unbound"
  | "changed"
  | "declined"
  | "privacy"
  | "unavailable"
  | "busy"
  | "network"
  | "timeout"
  | "aborted"
  | "server"
  | "refused";

/** The error that every call of the client rejects with. */
export interface WxpassError extends Error {
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
  errors: { [field: string]: unknown } | null;
}

const REASONS: { [code: string]: Reason } = {
  token_missing: "expired",
  token_invalid: "expired",
  session_expired: "expired",
  refresh_token_invalid: "expired",
  refresh_token_expired: "expired",
  token_of_another_app: "expired",
  http_401: "expired",
  session_replaced: "replaced",
  refresh_token_reused: "replaced",
  session_revoked: "revoked",
  session_ended: "ended",
  logged_out: "ended",
  user_disabled: "disabled",
  app_disabled: "disabled",
  tenant_disabled: "disabled",
  switched_off: "disabled",
  login_unbound: "unbound",
  no_user: "unbound",
};

/** Return whether a value is an error of this client. */
export function isWxpassError(value: unknown): value is WxpassError {
  return !!value && (value as WxpassError).name === "WxpassError";
}

/** Return a new error. The reason is that of the code, unless one is given. */
export function newError(code: string, message: string, reason?: Reason, status = 0): WxpassError {
  const error = new Error(message || code) as WxpassError;
  error.name = "WxpassError";
  error.code = code;
  error.reason = reason || REASONS[code] || reasonOfStatus(status);
  error.status = status;
  error.retryAfter = error.requestId = error.errors = null;
  return error;
}

/** Return the error for `errMsg` of a failed call to the platform. */
export function platformError(failure: unknown): WxpassError {
  const message = String((failure && (failure as { errMsg?: string }).errMsg) || failure);
  const kind = /timeout|timed out/i.test(message) ? "timeout" : /abort/i.test(message) ? "aborted" : "network";
  return newError(kind, message, kind);
}

function reasonOfStatus(status: number): Reason {
  if (status === 429 || status === 503) return "busy";
  return status >= 400 && status < 500 ? "refused" : "server";
}
