/** Calls to the service and to back ends that accept its tokens. */

import { Control, newControl } from "./control";
import { newError } from "./errors";
import { repeating, send } from "./http";
import type { Reply } from "./responses";
import type { Transport } from "./transports/transport";
import type { ClientOptions, RequestOptions } from "./types";

const ORIGIN = /^https?:\/\/[^/?#]+/i;

/** Sends requests with the settings of a client. */
export interface Api {
  /** Send a request, with the token if there is one, and repeat it as `Retry-After` says. */
  call(options: RequestOptions, token: string | null, control?: Control): Promise<Reply>;
  /** Send a POST below `/v1/apps/<appid>` once. */
  post(action: string, data: object | undefined, token?: string): Promise<Reply>;
  /** Run an attempt, and repeat it as `Retry-After` says. */
  repeating<T>(attempt: () => Promise<T>): Promise<T>;
}

/** Return the API of a mini-program. Throws an Error if the base URL is no http address. */
export function newApi(options: ClientOptions, transport: Transport, appid: string): Api {
  const baseUrl = baseUrlOf(options);
  const { timeout = 10000, longestWait = 10, language, tokenOrigins = [] } = options;
  const origins = tokenOrigins.concat(originOf(baseUrl)).map((origin) => origin.toLowerCase());

  function once(request: RequestOptions, token: string | null, control: Control): Promise<Reply> {
    const url = addressOf(request.url);
    if (!url) return Promise.reject(newError("origin_not_allowed", request.url, "refused"));
    const header: { [name: string]: string } = {};
    for (const name in request.header) header[name] = request.header[name];
    header["content-type"] = "application/json";
    if (language) header["Accept-Language"] = language;
    if (token) header.Authorization = "Bearer " + token;
    const method = request.method || "GET";
    const sent = { url, method, data: request.data, header, timeout: request.timeout || timeout };
    if (method === "GET") {
      sent.url = withQuery(url, request.data);
      sent.data = undefined;
    }
    return send(transport, sent, control);
  }

  /** Return the URL, or "" if the login token must not be sent there. */
  function addressOf(url: string): string {
    // A path begins with "/": behind the host, "@example.com" would name another host.
    if (url.charAt(0) === "/") return baseUrl + url;
    return origins.indexOf(originOf(url).toLowerCase()) >= 0 ? url : "";
  }

  return {
    call: (request, token, control = newControl()) =>
      repeating(() => once(request, token, control), longestWait, control),
    post(action, data, token) {
      const url = "/v1/apps/" + encodeURIComponent(appid) + "/" + action;
      return once({ url, method: "POST", data }, token || null, newControl());
    },
    repeating: (attempt) => repeating(attempt, longestWait, newControl()),
  };
}

/** Return the base URL without a slash at the end. Throws an Error unless it is an http address. */
export function baseUrlOf(options: ClientOptions): string {
  const baseUrl = (options.baseUrl || "").replace(/\/+$/, "");
  if (!ORIGIN.test(baseUrl)) throw new Error("baseUrl must begin with https://");
  return baseUrl;
}

/** Return a URL with the defined values as its query. Platforms differ in how they add one. */
function withQuery(url: string, data: any): string {
  for (const name in data) {
    if (data[name] === undefined) continue;
    const pair = encodeURIComponent(name) + "=" + encodeURIComponent(data[name]);
    url += (url.indexOf("?") < 0 ? "?" : "&") + pair;
  }
  return url;
}

function originOf(url: string): string {
  const found = ORIGIN.exec(url);
  return found ? found[0] : "no origin";
}
