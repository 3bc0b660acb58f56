/** Events of WeChat's buttons and forms, read into request bodies. */

import { newError, WxpassError } from "./errors";

/** The event of a phone button, or its `detail`. */
export interface PhoneEvent {
  detail?: any;
  [field: string]: any;
}

/** The event of a user-info button or a form, its `detail`, or the values themselves. */
export type ProfileEvent = PhoneEvent;

/**
 * Return the body for the phone call. Base libraries since 2.21.2 give `code`, older ones only
 * `encryptedData` and `iv`. Throws why there is neither.
 */
export function phoneBody(event: PhoneEvent): object {
  const detail = event.detail || event;
  if (detail.code) return { code: detail.code };
  if (detail.encryptedData && detail.iv) return { encryptedData: detail.encryptedData, iv: detail.iv };
  throw refusalOf(detail);
}

/**
 * Return the body for the profile call: open data of a user-info button, or `nickname` and
 * `avatar_url` of a form. Throws why the event has neither.
 */
export function profileBody(event: ProfileEvent): object {
  const detail = event.detail || event;
  if (detail.encryptedData) {
    const { rawData, signature, encryptedData, iv } = detail;
    return { rawData, signature, encryptedData, iv };
  }
  const { nickname, avatar_url } = detail.value || detail;
  if (!nickname) throw refusalOf(detail);
  if (!avatar_url) return { nickname };
  if (/^https:/i.test(avatar_url)) return { nickname, avatar_url };
  throw newError("avatar_not_uploaded", "Upload the picture first. Its path is local to this phone.", "refused");
}

/** Return the error for the `errno` and `errMsg` of a button that gave no data. */
function refusalOf(detail: { errno?: number; errMsg?: string }): WxpassError {
  const { errno, errMsg = "The event has no data." } = detail;
  if (errno === 103 || errno === 104 || /privacy permission is not authorized/i.test(errMsg)) {
    return newError("privacy_refused", errMsg, "privacy");
  }
  if (errno === 112 || /not declared in the privacy/i.test(errMsg)) {
    return newError("privacy_undeclared", errMsg, "unavailable");
  }
  if (errno === 1400001) return newError("phone_quota_used", errMsg, "unavailable");
  if (/deny|denied|cancel/i.test(errMsg)) return newError("declined", errMsg, "declined");
  return newError("no_data", errMsg, "unavailable");
}
