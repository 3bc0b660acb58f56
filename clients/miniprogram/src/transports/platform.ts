/** Transports over the API that WeChat, uni-app and Taro share, and over WeChat's cloud gateway. */

import { newError, platformError } from "../errors";
import type { Exchange, Transport, TransportRequest, TransportResponse } from "./transport";

/** The functions used of `wx`, `uni` or `Taro`. */
export interface PlatformApi {
  request(options: any): any;
  login(options: any): any;
  checkSession?(options: any): any;
  getAccountInfoSync?(): { miniProgram: { appId: string } };
  getStorageSync(key: string): any;
  setStorageSync(key: string, data: any): void;
}

/** `wx` with the cloud API of base library 2.23.0. The mini-program calls `wx.cloud.init` itself. */
export interface CloudApi extends PlatformApi {
  cloud: { callContainer(options: any): any };
}

/** Milliseconds after which a call of the platform that has not called back is given up. */
const LONGEST = 10000;

declare const wx: CloudApi;
declare const uni: PlatformApi;

/** Return the transport of a native mini-program, over `wx`. */
export function wxTransport(api: PlatformApi = wx): Transport {
  return platformTransport(api);
}

/** Return the transport of a uni-app that runs in WeChat, over `uni`. */
export function uniTransport(api: PlatformApi = uni): Transport {
  return platformTransport(api);
}

/** Return the transport of a Taro app that runs in WeChat. Give it the module `@tarojs/taro`. */
export function taroTransport(api: PlatformApi): Transport {
  return platformTransport(api);
}

/** The container that `callContainer` reaches: the id of the environment, the name of the service. */
export interface Container {
  env: string;
  service: string;
}

/**
 * Return a transport that sends requests through `wx.cloud.callContainer`, so that the
 * mini-program needs no request domain. An aborted request goes on; its response is ignored.
 */
export function cloudTransport(container: Container, api: CloudApi = wx): Transport {
  const transport = platformTransport(api);
  transport.send = (request) =>
    start((callbacks) => {
      const header = merged(request.header, { "X-WX-SERVICE": container.service });
      const path = request.url.replace(/^https?:\/\/[^/]+/i, "");
      const config = { env: container.env };
      return api.cloud.callContainer(merged(callbacks, request, { config, path, header }));
    });
  return transport;
}

function platformTransport(api: PlatformApi): Transport {
  return {
    send: (request: TransportRequest) => start((callbacks) => api.request(merged(callbacks, request))),
    login() {
      return new Promise<{ code?: string }>((resolve, reject) => {
        swallow(api.login({ provider: "weixin", success: resolve, fail: reject }));
        setTimeout(() => reject("login:fail timeout"), LONGEST);
      }).then(
        (result) => {
          if (result.code) return result.code;
          throw newError("wx_login_failed", "wx.login returned no code", "network");
        },
        (failure) => {
          throw newError("wx_login_failed", platformError(failure).message, "network");
        },
      );
    },
    checkSession() {
      return new Promise((resolve) => {
        if (!api.checkSession) return resolve(true);
        swallow(api.checkSession({ success: () => resolve(true), fail: () => resolve(false) }));
        setTimeout(() => resolve(true), LONGEST);
      });
    },
    appid: () => (api.getAccountInfoSync ? api.getAccountInfoSync().miniProgram.appId : ""),
    read: (key) => api.getStorageSync(key),
    write: (key, text) => api.setStorageSync(key, text),
  };
}

/** Call a function with `success` and `fail`, and return its request task as an exchange. */
function start(call: (callbacks: object) => any): Exchange {
  let task: any;
  const response = new Promise<TransportResponse>((resolve, reject) => {
    task = call({ success: resolve, fail: (failure: unknown) => reject(platformError(failure)) });
    swallow(task);
  });
  return { response, abort: () => task && task.abort && task.abort() };
}

/** Ignore the promise that Taro returns besides calling `fail`. Its rejection is not a second one. */
function swallow(result: any): void {
  if (result && result.then) result.then(null, () => undefined);
}

function merged(...parts: any[]): any {
  const result: any = {};
  for (const part of parts) for (const name in part) if (part[name] !== undefined) result[name] = part[name];
  return result;
}
