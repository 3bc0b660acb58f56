/** The client: one mini-program at one service. */

import { newApi, baseUrlOf } from "./api";
import { newAuthenticator } from "./authenticator";
import { phoneBody, profileBody } from "./buttons";
import { Call, cancellable, Control } from "./control";
import { newEmitter } from "./events";
import type { Reply } from "./responses";
import { newSessionStore } from "./session";
import { wxTransport } from "./transports/platform";
import type { Client, ClientOptions, RequestOptions } from "./types";

const clients: { [appid: string]: Client } = {};
let newest = "";

/**
 * Return a client of wxpass. Create one for each appid, when the mini-program starts, and share it.
 * Throws an Error if `baseUrl` is no address, or if the appid is unknown.
 */
export function createClient(options: ClientOptions): Client {
  const transport = options.transport || wxTransport();
  const appid = options.appid || transport.appid();
  if (!appid) throw new Error("appid is missing, and the platform does not tell it");
  const api = newApi(options, transport, appid);
  const store = newSessionStore(transport, baseUrlOf(options), appid);
  const events = newEmitter();
  const auth = newAuthenticator(api, transport, store, events);

  function fetchReply(request: RequestOptions, control?: Control): Promise<Reply> {
    return auth.authorized((token) => api.call(request, token, control));
  }

  function request<T>(options: RequestOptions): Call<T> {
    return cancellable<T>((control) => fetchReply(options, control).then((reply) => reply.data));
  }

  const client: Client = {
    appid,
    login: (loginOptions = {}) => auth.login(loginOptions),
    passwordLogin: auth.passwordLogin,
    // A promise, so that a declined button rejects instead of throwing.
    onPhone: async (event) => auth.bind("phone", phoneBody(event)),
    bindAccount: (account, password) => auth.bind("bind", { account, password }),
    unbind: () => auth.bind("unbind", undefined),
    onProfile: async (event) => {
      const body = profileBody(event);
      const reply = await auth.authorized((token) => api.post("profile", body, token));
      return reply.data;
    },
    me: () => request({ url: "/v1/me" }),
    async sessions(page = {}) {
      const reply = await fetchReply({ url: "/v1/me/sessions", data: page });
      return { items: reply.data, next: reply.header("X-Next-Cursor") || null };
    },
    endSession: (id) => request({ url: "/v1/me/sessions/" + encodeURIComponent(id), method: "DELETE" }),
    endOtherSessions: () => request({ url: "/v1/me/sessions", method: "DELETE" }),
    logout: (logoutOptions = {}) => auth.logout(!!logoutOptions.everywhere),
    isLoggedOut: store.isOut,
    request,
    on: events.on,
  };
  clients[appid] = client;
  newest = appid;
  return client;
}

/**
 * Return the client that `createClient` made for an appid, or the newest one. Throws an Error if
 * there is none. The native component finds its client here.
 */
export function getClient(appid?: string): Client {
  const client = clients[appid || newest];
  if (!client) throw new Error("call createClient first");
  return client;
}
