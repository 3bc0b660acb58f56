/** The stored session of one mini-program at one service. */

import type { Transport } from "./transports/transport";

/** The tokens of a session, and the user they belong to. */
export interface Session {
  token: string;
  /** Null while the session is unbound. */
  refreshToken: string | null;
  /** Null while the session is unbound. */
  userId: string | null;
  /** Whether account and password opened it. `wx.login` cannot replace such a session. */
  byPassword: boolean;
}

/** Whether the person logged out, or the session was lost, since the last login. */
interface LoggedOut {
  out: true;
}

/** Reads and writes the session. If the storage fails, the session lives in memory only. */
export interface SessionStore {
  read(): Session | null;
  isOut(): boolean;
  write(session: Session): void;
  clear(): void;
}

/** Return the store of an appid. Another appid or service in the same storage has another key. */
export function newSessionStore(transport: Transport, baseUrl: string, appid: string): SessionStore {
  const key = "wxpass " + baseUrl + " " + appid;
  let memory: Session | LoggedOut | null = null;
  let isStored = true;

  function load(): Session | LoggedOut | null {
    if (!isStored) return memory;
    try {
      const text = transport.read(key);
      memory = typeof text === "string" && text ? recordOf(text) : null;
    } catch (_) {
      // Keep what this process knows.
    }
    return memory;
  }

  function keep(record: Session | LoggedOut): void {
    memory = record;
    try {
      transport.write(key, JSON.stringify(record));
      isStored = true;
    } catch (_) {
      isStored = false;
    }
  }

  return {
    read() {
      const record = load();
      return record && "token" in record ? record : null;
    },
    isOut() {
      const record = load();
      return !!record && "out" in record;
    },
    write: keep,
    clear: () => keep({ out: true }),
  };
}

function recordOf(text: string): Session | LoggedOut | null {
  try {
    const record = JSON.parse(text);
    if (record && record.out) return { out: true };
    return record && typeof record.token === "string" ? record : null;
  } catch (_) {
    return null;
  }
}
