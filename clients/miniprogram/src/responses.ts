/** Reading responses: JSON, problems of the service, and headers. */

import { newError, WxpassError } from "./errors";
import type { TransportResponse } from "./transports/transport";

/** A successful response. `data` is undefined if the body is empty. */
export interface Reply {
  data: any;
  header: (name: string) => string;
}

/** Return the reply. Throw a WxpassError for a status above 299 and for a body that is not JSON. */
export function replyOf(response: TransportResponse): Reply {
  const status = response.statusCode;
  const body = jsonOf(response.data);
  const header = (name: string) => headerOf(response, name);
  if (!(status >= 200 && status < 300)) throw problemOf(status, body, header);
  if (body instanceof NotJson) {
    throw newError("response_not_json", "The response is not JSON.", "server", status);
  }
  return { data: body, header };
}

/** A body that is not JSON, such as an HTML page of a proxy. */
class NotJson {}

function jsonOf(data: unknown): any {
  if (typeof data !== "string") return data === null ? undefined : data;
  if (!data) return undefined;
  try {
    return JSON.parse(data);
  } catch (_) {
    return new NotJson();
  }
}

function problemOf(status: number, body: any, header: Reply["header"]): WxpassError {
  const problem = body || {};
  const code = typeof problem.code === "string" ? problem.code : "http_" + status;
  const message = typeof problem.detail === "string" ? problem.detail : "HTTP " + status;
  const error = newError(code, message, undefined, status);
  error.retryAfter = retryAfterOf(header);
  error.requestId = header("X-Request-Id") || null;
  error.errors = problem.errors || null;
  return error;
}

/** Return a header, or "". Platforms differ in the case of the names. */
function headerOf(response: TransportResponse, name: string): string {
  const headers = response.header || {};
  for (const key in headers) {
    if (key.toLowerCase() === name.toLowerCase()) return String(headers[key]);
  }
  return "";
}

/**
 * Return the seconds of `Retry-After`, or null. A date is compared with the `Date` of the same
 * response, because the clock of the phone may be wrong.
 */
function retryAfterOf(header: Reply["header"]): number | null {
  const text = header("Retry-After").trim();
  if (/^\d+$/.test(text)) return Number(text);
  const seconds = Math.ceil((Date.parse(text) - Date.parse(header("Date"))) / 1000);
  return isNaN(seconds) ? null : Math.max(0, seconds);
}
