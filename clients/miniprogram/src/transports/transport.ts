/** What the client needs of the platform that it runs on. */

/** One HTTP request. `data` is sent as JSON. */
export interface TransportRequest {
  url: string;
  method: string;
  data?: unknown;
  header: { [name: string]: string };
  /** Milliseconds. */
  timeout: number;
}

/** The response, whatever its status. `data` may be parsed JSON or text. */
export interface TransportResponse {
  statusCode: number;
  header?: { [name: string]: unknown };
  data?: unknown;
}

/** A request under way. */
export interface Exchange {
  /** Resolves to the response, and rejects with a WxpassError if none arrives. */
  response: Promise<TransportResponse>;
  /** Stop the request, if the platform can. */
  abort(): void;
}

/** A platform: HTTP, `login`, and storage. Write your own one for a platform that has none here. */
export interface Transport {
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
