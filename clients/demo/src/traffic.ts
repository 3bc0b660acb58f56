/** The exchanges that the simulator records, in the order of their beginning. */

import { get } from "./backend";

export type Place = "phone" | "service" | "wechat" | "console";

/** A request and its answer. The simulator masks secrets. `facts` come from the service's log. */
export interface Exchange {
  id: number;
  source: Place;
  target: Place;
  kind: string;
  phone: "left" | "right" | null;
  request: any;
  at: number;
  ended: number | null;
  status: number | null;
  answer: any;
  facts: { [name: string]: string };
}

const EVERY = 300;

/** Fetches what the simulator records, and calls back after each change. */
export class Traffic {
  private exchanges = new Map<number, Exchange>();
  private revision = 0;
  private hidden = 0;
  private fetching: Promise<void> = Promise.resolve();

  constructor(private changed: (exchanges: Exchange[]) => void) {}

  /** Begin to poll. What was recorded before is not shown. */
  async start(): Promise<void> {
    await this.refresh();
    this.clear();
    setInterval(() => document.hidden || void this.refresh(), EVERY);
  }

  /** Fetch what is new now. */
  refresh(): Promise<void> {
    this.fetching = this.fetching.then(() => this.fetch());
    return this.fetching;
  }

  /** Hide what was recorded so far. */
  clear(): void {
    this.hidden = Math.max(this.hidden, ...this.exchanges.keys());
    this.exchanges.clear();
    this.changed([]);
  }

  /** Return the exchanges of a kind that were recorded since `clear`. */
  async of(kind: string): Promise<Exchange[]> {
    await this.refresh();
    return this.shown().filter((one) => one.kind === kind);
  }

  private shown(): Exchange[] {
    return [...this.exchanges.values()].sort((one, other) => one.id - other.id);
  }

  private async fetch(): Promise<void> {
    const reply = await get(`traffic?after=${this.revision}`).catch(() => null);
    if (!reply) return;
    const { revision, exchanges } = reply;
    if (revision < this.revision) {
      // The simulator was restarted, and its ids begin again.
      this.exchanges.clear();
      this.revision = this.hidden = 0;
      return this.fetch();
    }
    if (!exchanges.length) return;
    this.revision = revision;
    for (const one of exchanges as Exchange[]) if (one.id > this.hidden) this.exchanges.set(one.id, one);
    this.changed(this.shown());
  }
}
