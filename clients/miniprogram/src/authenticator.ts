/**
 * Opens, renews and drops the session.
 *
 * Everything that changes the tokens runs in turn, so that no response overwrites a newer one, and
 * tokens that arrive after a logout are not stored (turns.ts). The clock of the phone is never
 * compared with a time of the service: a token is valid until the service refuses it.
 */

import type { Api } from "./api";
import { newError, WxpassError } from "./errors";
import type { Emitter } from "./events";
import type { Reply } from "./responses";
import type { Session, SessionStore } from "./session";
import type { Transport } from "./transports/transport";
import { newTurns } from "./turns";
import type { Login, LoginOptions } from "./types";

type Send<T> = (token: string) => Promise<T>;
type Renew = (used: string, error: WxpassError) => Promise<Session>;

/** The reasons with which the service refuses a session that has ended. */
const OVER = ["expired", "replaced", "revoked", "ended", "disabled"];
/** Those after which the client does not log in by itself, because a person ended the session. */
const FINAL = ["revoked", "ended", "disabled"];
const CODE_REFUSED = ["code_invalid", "code_used"];

/** The operations of the client that need or change the session. */
export interface Authenticator {
  authorized<T>(send: Send<T>): Promise<T>;
  login(options: LoginOptions): Promise<Login>;
  passwordLogin(account: string, password: string): Promise<Login>;
  bind(action: string, body: object | undefined): Promise<Login>;
  logout(everywhere: boolean): Promise<void>;
}

/** Return the authenticator of a client. `store` has its session, `events` its listeners. */
export function newAuthenticator(
  api: Api,
  transport: Transport,
  store: SessionStore,
  events: Emitter,
): Authenticator {
  const { inTurn, isCurrent, cancel, shared } = newTurns(reasonOfAbsence);
  let loss: WxpassError | null = null;
  // Counts requests and failed renewals, to compare which came first.
  let moment = 0;
  let failure: { token: string; moment: number; error: unknown } = { token: "", moment: 0, error: null };

  // The stored session.

  function adopt(reply: Reply, generation: object, userId: string | null, byPassword: boolean): Session {
    const { token, refresh_token } = reply.data || {};
    if (typeof token !== "string") {
      throw newError("response_invalid", "The response has no token.", "server");
    }
    if (!isCurrent(generation)) {
      retire(token);
      throw reasonOfAbsence();
    }
    const session = { token, refreshToken: refresh_token || null, userId, byPassword };
    store.write(session);
    return session;
  }

  function adoptLogin(reply: Reply, generation: object, byPassword: boolean): Login {
    const user = (reply.data && reply.data.user) || null;
    adopt(reply, generation, user && user.id, byPassword);
    const login = { bound: !!user, user };
    events.emit("login", login);
    return login;
  }

  /** Delete the session, and cancel the operations that are under way. */
  function drop(why: WxpassError | null): void {
    cancel();
    loss = why;
    store.clear();
  }

  function lost(error: WxpassError): WxpassError {
    drop(error);
    events.emit("kicked", error);
    return error;
  }

  function reasonOfAbsence(): WxpassError {
    return loss || newError("logged_out", "The person has logged out.");
  }

  /** End a session in the service that is no longer used. Errors are ignored. */
  function retire(token: string): void {
    api.post("logout", undefined, token).then(null, () => undefined);
  }

  // Opening and renewing.

  async function loginWithCode(): Promise<Reply> {
    return api.post("login", { code: await transport.login() });
  }

  async function open(generation: object): Promise<Login> {
    const reply = await api.repeating(() =>
      loginWithCode().then(null, (error: WxpassError) => {
        if (CODE_REFUSED.indexOf(error.code) < 0) throw error;
        return loginWithCode();
      }),
    );
    return adoptLogin(reply, generation, false);
  }

  async function firstSession(generation: object): Promise<Session> {
    if (store.isOut()) throw reasonOfAbsence();
    if (!store.read()) await open(generation);
    return store.read()!;
  }

  /** Open a session in place of one that is over. */
  async function reopen(generation: object): Promise<Session> {
    try {
      await open(generation);
    } catch (error) {
      throw (error as WxpassError).reason === "disabled" ? lost(error as WxpassError) : error;
    }
    return store.read()!;
  }

  /** Refresh the session. After a lost response, try again: the service repeats it for 30 s. */
  async function refresh(session: Session, generation: object): Promise<Session> {
    const body = { refresh_token: session.refreshToken };
    const attempt = () => api.post("refresh", body);
    const reply = await api.repeating(() =>
      attempt().then(null, (error: WxpassError) => {
        if (error.reason !== "network" && error.reason !== "timeout") throw error;
        return attempt();
      }),
    );
    return adopt(reply, generation, session.userId, session.byPassword);
  }

  /**
   * Return a session in place of one that the service refused with `error`: the stored one if it is
   * newer, or else a refreshed one, or else one that `wx.login` opens. Throws what the session was
   * lost with. With `resuming`, the caller opens a session itself if that is possible.
   */
  async function renewNow(
    used: string,
    error: WxpassError,
    generation: object,
    resuming: boolean,
  ): Promise<Session> {
    const session = store.read();
    if (!session) return firstSession(generation);
    if (session.token !== used) return session;
    if (session.refreshToken && !has(FINAL, error)) {
      try {
        return await refresh(session, generation);
      } catch (refusal) {
        error = refusal as WxpassError;
        if (!isCurrent(generation) || !has(OVER, error)) throw error;
      }
    }
    if (resuming && !session.byPassword) throw error;
    if (session.byPassword || has(FINAL, error)) throw lost(error);
    return reopen(generation);
  }

  /**
   * Send with the token of a session. If it is refused, renew the session and send once more,
   * unless another user is logged in by then. A second refusal for a reason in `final` loses the
   * session.
   */
  async function attempt<T>(
    session: Session,
    send: Send<T>,
    renew: Renew,
    final: string[] = FINAL,
  ): Promise<T> {
    const { userId } = session;
    try {
      return await send(session.token);
    } catch (error) {
      if (!has(OVER, error as WxpassError)) throw error;
      session = await renew(session.token, error as WxpassError);
    }
    if (userId && session.userId && session.userId !== userId) {
      throw newError("user_changed", "Another user is logged in now.", "changed");
    }
    try {
      return await send(session.token);
    } catch (error) {
      const current = store.read();
      const isOver = has(final, error as WxpassError) && current && current.token === session.token;
      throw isOver ? lost(error as WxpassError) : error;
    }
  }

  // The operations.

  async function authorized<T>(send: Send<T>): Promise<T> {
    const session = store.read() || (await shared("open", firstSession));
    const sentAt = ++moment;
    return attempt(session, send, (used, error) => {
      // The requests of one burst share a failed renewal, too, whenever their refusals arrive.
      if (failure.token === used && failure.moment > sentAt) throw failure.error;
      return shared("renew " + used, (generation) => renewNow(used, error, generation, false)).then(null, (error) => {
        failure = { token: used, moment: ++moment, error };
        throw error;
      });
    });
  }

  async function resume(session: Session, generation: object): Promise<Login> {
    const send = (token: string) => api.call({ url: "/v1/me" }, token);
    try {
      const reply = await attempt(session, send, (used, error) => renewNow(used, error, generation, true));
      return { bound: true, user: reply.data };
    } catch (error) {
      if ((error as WxpassError).reason === "unbound") return { bound: false, user: null };
      throw error;
    }
  }

  async function loginNow(options: LoginOptions, generation: object): Promise<Login> {
    const session = store.read();
    const wantsKey = options.sessionKey && !(await transport.checkSession());
    if (session && !options.fresh && !wantsKey) {
      try {
        return await resume(session, generation);
      } catch (error) {
        if (session.byPassword || !has(OVER, error as WxpassError)) throw error;
      }
    }
    const login = await open(generation);
    if (session && (options.fresh || wantsKey)) retire(session.token);
    return login;
  }

  async function bindNow(action: string, body: object | undefined, generation: object): Promise<Login> {
    const session = await firstSession(generation);
    const send = (token: string) => api.post(action, body, token);
    try {
      const renew: Renew = (used, error) => {
        // The user that the phone or account belongs to is disabled, not this session.
        if (error.reason === "disabled") throw error;
        return renewNow(used, error, generation, false);
      };
      const reply = await attempt(session, send, renew, ["revoked", "ended"]);
      return adoptLogin(reply, generation, session.byPassword);
    } catch (error) {
      const isStale = (error as WxpassError).code === "session_key_expired" && !session.byPassword;
      // The next tap of the button is encrypted with the session_key of this login.
      if (isStale) await open(generation).then(() => retire(session.token), () => undefined);
      throw error;
    }
  }

  return {
    authorized,
    login: (options) =>
      shared("login " + !!options.fresh + !!options.sessionKey, (generation) => loginNow(options, generation)),
    passwordLogin: (account, password) =>
      inTurn(async (generation) => {
        const before = store.read();
        const reply = await api.post("password-login", { account, password });
        const login = adoptLogin(reply, generation, true);
        if (before) retire(before.token);
        return login;
      }),
    bind: (action, body) => inTurn((generation) => bindNow(action, body, generation)),
    async logout(everywhere) {
      if (everywhere) await authorized((token) => api.post("logout-all", undefined, token));
      const session = store.read();
      drop(null);
      if (!session || everywhere) return;
      try {
        await api.post("logout", undefined, session.token);
      } catch (error) {
        if (!has(OVER, error as WxpassError)) throw error;
      }
    },
  };
}

function has(reasons: string[], error: WxpassError): boolean {
  return reasons.indexOf(error.reason) >= 0;
}
