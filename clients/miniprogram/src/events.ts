/** The events `login` and `kicked`. */

import type { WxpassError } from "./errors";
import type { Login } from "./types";

/** The argument of the listeners of each event. */
export interface Events {
  /** A login, a binding or an unbinding succeeded. */
  login: Login;
  /** The session is lost and was not renewed. The error says why. */
  kicked: WxpassError;
}

/** Adds and calls listeners. */
export interface Emitter {
  on<E extends keyof Events>(event: E, listener: (value: Events[E]) => void): () => void;
  emit<E extends keyof Events>(event: E, value: Events[E]): void;
}

/** Return an emitter. An error of a listener reaches `App.onError` and no other listener. */
export function newEmitter(): Emitter {
  let listeners: { event: string; call: (value: any) => void }[] = [];
  return {
    on(event, call) {
      const listener = { event, call };
      listeners = listeners.concat(listener);
      return () => {
        listeners = listeners.filter((other) => other !== listener);
      };
    },
    emit(event, value) {
      for (const listener of listeners) {
        if (listener.event === event) Promise.resolve(value).then(listener.call).then(null, rethrow);
      }
    },
  };
}

function rethrow(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}
