/** A `wx` with real HTTP: requests reach the service, and codes come from the simulator. */

import { Agent, request as httpRequest } from "node:http";

type Callbacks = { success?: (result: any) => void; fail?: (failure: any) => void };

const AGENT = new Agent({ keepAlive: false });

/** Post JSON to the simulator's control API. */
export async function simulate(simulator: string, action: string, body: object): Promise<any> {
  const response = await fetch(`${simulator}/_simulator/${action}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${action}: ${await response.text()}`);
  return response.json();
}

/** A phone with WeChat, on which one person runs one mini-program. */
export class FakeWx {
  readonly storage = new Map<string, any>();
  logins = 0;
  requests = 0;
  aborts = 0;
  loginFails: string | null = null;
  sessionKeyIsValid = true;
  storageIsFull = false;
  online = true;
  /** Codes that the next calls of `login` return instead of new ones. */
  codes: string[] = [];

  constructor(
    readonly simulator: string,
    readonly appId: string,
    public person: string,
    readonly userAgent = "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50 NetType/WIFI",
  ) {}

  getAccountInfoSync = () => ({ miniProgram: { appId: this.appId } });

  login = (options: Callbacks) => {
    this.logins++;
    if (this.loginFails) return void setTimeout(() => options.fail?.({ errMsg: this.loginFails }));
    const code = this.codes.shift();
    const body = { person: this.person, appid: this.appId };
    const codes = code ? Promise.resolve({ code }) : simulate(this.simulator, "login", body);
    void codes.then((result) => options.success?.({ ...result, errMsg: "login:ok" }));
  };

  checkSession = (options: Callbacks) => {
    setTimeout(() => (this.sessionKeyIsValid ? options.success?.({}) : options.fail?.({})));
  };

  getStorageSync = (key: string) => this.storage.get(key) ?? "";

  setStorageSync = (key: string, data: any) => {
    if (this.storageIsFull) throw new Error("setStorageSync:fail exceed storage max size 10Mb");
    this.storage.set(key, data);
  };

  request = (options: any) => {
    this.requests++;
    const fail = (errMsg: string) => setTimeout(() => options.fail?.({ errMsg: `request:fail ${errMsg}` }));
    if (!this.online) return void fail("net::ERR_INTERNET_DISCONNECTED");
    const url = new URL(options.url);
    const body = options.data === undefined ? "" : JSON.stringify(options.data);
    const type = { "Content-Type": "application/json" }; // The default of wx.request.
    const headers = { ...type, ...options.header, "User-Agent": this.userAgent, "Content-Length": Buffer.byteLength(body) };
    let why = "net::ERR_CONNECTION_RESET";
    const sent = httpRequest(url, { method: options.method, headers, agent: AGENT }, (response) => {
      void response.toArray().then((parts) => {
        const text = Buffer.concat(parts).toString();
        options.success?.({ statusCode: response.statusCode, header: response.headers, data: parsed(text) });
      });
    });
    sent.setTimeout(options.timeout || 60000, () => {
      why = "timeout";
      sent.destroy();
    });
    sent.on("error", () => fail(why));
    sent.end(body);
    return {
      abort: () => {
        this.aborts++;
        why = "abort";
        sent.destroy();
      },
    };
  };

  /** Return the event of a tap on the phone button. */
  async tapPhone(): Promise<{ detail: any }> {
    const detail = await simulate(this.simulator, "phone", { person: this.person, appid: this.appId });
    return { detail: { ...detail, errMsg: "getPhoneNumber:ok" } };
  }
}

/** As `wx.request` does: JSON if possible, text otherwise. */
function parsed(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
