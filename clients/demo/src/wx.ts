/** A `wx` object: HTTP goes through the simulator, and codes come from it. */

import { post } from "./backend";

export type Side = "left" | "right";

interface Callbacks {
  success?: (result: any) => void;
  fail?: (failure: { errMsg: string }) => void;
}

/** A phone with WeChat, on which one person runs one mini-program. */
export class Wx {
  constructor(
    readonly side: Side,
    readonly person: string,
    readonly appid: string,
  ) {}

  getAccountInfoSync = () => ({ miniProgram: { appId: this.appid } });

  getStorageSync = (key: string): string => localStorage.getItem(this.keyOf(key)) || "";

  setStorageSync = (key: string, data: string): void => localStorage.setItem(this.keyOf(key), data);

  login = (options: Callbacks): void => {
    this.call("login").then(
      ({ code }) => options.success?.({ code, errMsg: "login:ok" }),
      (error) => options.fail?.({ errMsg: `login:fail ${error.message}` }),
    );
  };

  checkSession = (options: Callbacks): void => {
    const fail = () => options.fail?.({ errMsg: "checkSession:fail" });
    this.call("check-session").then(({ valid }) => (valid ? options.success?.({}) : fail()), fail);
  };

  request = (options: any): { abort: () => void } => {
    const stop = new AbortController();
    let why = "net::ERR_CONNECTION_RESET";
    const abort = (reason: string) => {
      why = reason;
      stop.abort();
    };
    const timer = setTimeout(() => abort("timeout"), options.timeout || 60000);
    this.send(options, stop.signal)
      .then(options.success, () => options.fail?.({ errMsg: `request:fail ${why}` }))
      .finally(() => clearTimeout(timer));
    return { abort: () => abort("abort") };
  };

  /** Return the event of a tap on the phone button: a code, or encrypted data in old versions. */
  async tapPhone(old: boolean): Promise<{ detail: any }> {
    return { detail: { ...(await this.call("phone", { old })), errMsg: "getPhoneNumber:ok" } };
  }

  /** Return the event of a tap on the phone button that the person declined. */
  async declinePhone(): Promise<{ detail: any }> {
    const errMsg = "getPhoneNumber:fail user deny";
    await this.call("refused", { message: errMsg });
    return { detail: { errMsg } };
  }

  private async send(options: any, signal: AbortSignal): Promise<object> {
    const url = new URL(options.url);
    const isRead = options.method === "GET";
    if (isRead) for (const name in options.data) url.searchParams.set(name, options.data[name]);
    const response = await fetch(url, {
      method: options.method,
      headers: { ...options.header, "X-Demo-Phone": this.side },
      body: isRead || options.data === undefined ? undefined : JSON.stringify(options.data),
      signal,
    });
    const text = await response.text();
    return { statusCode: response.status, header: Object.fromEntries(response.headers), data: parsed(text) };
  }

  private call(what: string, more: object = {}): Promise<any> {
    return post(`wx/${what}`, { phone: this.side, person: this.person, appid: this.appid, ...more });
  }

  private keyOf(key: string): string {
    return `${this.side} ${this.person} ${key}`;
  }
}

/** As `wx.request` does: JSON if possible, text otherwise. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
