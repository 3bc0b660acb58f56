/** Public types. Those of the service are generated from its OpenAPI description. */

import type { Call } from "./control";
import type { components } from "./openapi";
import type { PhoneEvent, ProfileEvent } from "./buttons";
import type { Emitter } from "./events";
import type { Transport } from "./transports/transport";

type Schemas = components["schemas"];

/** A user, as `GET /v1/me` returns it. */
export type User = Schemas["UserResponse"];
/** One of the user's sessions. */
export type SessionInfo = Schemas["SessionResponse"];
/** The stored nickname and avatar. */
export type Profile = Schemas["ProfileResponse"];

/** The state of a login. `user` is null while the person is not a user yet. */
export interface Login {
  bound: boolean;
  user: User | null;
}

/** Options of `createClient`. */
export interface ClientOptions {
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
export interface RequestOptions {
  /** A path at the base URL, or a URL of one of `tokenOrigins`. */
  url: string;
  /** Default: GET. `wx.request` cannot send PATCH. */
  method?: "GET" | "POST" | "PUT" | "DELETE";
  /** Sent as JSON, or with GET as the query. */
  data?: object;
  header?: { [name: string]: string };
  /** Milliseconds that one attempt may take. Default: that of the client. */
  timeout?: number;
}

/** Options of `login`. */
export interface LoginOptions {
  /** Open a new session even if there is one. For actions that need a recent login. */
  fresh?: boolean;
  /** Open a new session if `wx.checkSession` fails. For base libraries below 2.21.2. */
  sessionKey?: boolean;
}

/** A page of `sessions`. */
export interface SessionPage {
  items: SessionInfo[];
  /** The cursor of the next page, or null. */
  next: string | null;
}

/** A client of wxpass. Every call rejects with a WxpassError. */
export interface Client {
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
  sessions(page?: { cursor?: string; limit?: number }): Promise<SessionPage>;

  /** End one session of the user. */
  endSession(id: string): Promise<void>;

  /** End all sessions of the user but this one. */
  endOtherSessions(): Promise<void>;

  /**
   * Log out: forget the session, then end it in the service. With `everywhere`, end all sessions of
   * the user. Rejects if the service was not reached; this phone is logged out all the same.
   */
  logout(options?: { everywhere?: boolean }): Promise<void>;

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
