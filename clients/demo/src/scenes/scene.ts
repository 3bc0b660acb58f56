/** What a scene is, and how it is played. */

import { post } from "../backend";
import type { DemoTenant } from "../backend";
import type { Phone } from "../phone";
import type { Exchange, Traffic } from "../traffic";

/** The phones and the recorded requests that scenes use. */
export interface Stage {
  left: Phone;
  right: Phone;
  traffic: Traffic;
  tenants: DemoTenant[];
}

/** The texts of a scene in one language. The checks are in the order of the results. */
export interface SceneTexts {
  title: string;
  about: string;
  steps: string[];
  checks: string[];
}

/** A scene. Its steps run one after the other, and the last one returns the result of each check. */
export interface Scene {
  id: string;
  en: SceneTexts;
  zh: SceneTexts;
  steps: ((stage: Stage) => Promise<boolean[] | void>)[];
}

export const SHOP = "wxaaaa000000000001";
export const CLUB = "wxaaaa000000000002";
export const LIFE = "wxbbbb000000000001";

/** Wait until a condition holds, for 10 seconds at most. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

/** Return the linking decision of the last exchange of a kind, as the service logged it. */
export function decisionOf(exchanges: Exchange[]): string {
  return exchanges.length ? exchanges[exchanges.length - 1].facts.decision || "" : "";
}

/** Milliseconds between the steps, so that a reader can follow. */
const PAUSE = 500;

/** One performance of a scene. */
export class Play {
  results: boolean[] = [];
  error = "";
  isRunning = false;
  private position = 0;

  constructor(
    readonly scene: Scene,
    private stage: Stage,
    private changed: () => void,
  ) {}

  get state(): "ready" | "playing" | "done" {
    if (this.error || this.position === this.scene.steps.length) return "done";
    return this.position || this.isRunning ? "playing" : "ready";
  }

  get hasPassed(): boolean {
    return !this.error && this.results.length === this.scene.en.checks.length && this.results.every(Boolean);
  }

  stateOf(step: number): string {
    if (step < this.position) return "past";
    if (step > this.position || !this.isRunning) return this.error && step === this.position ? "bad" : "";
    return "running";
  }

  /** Run the next step. */
  async next(): Promise<void> {
    if (this.isRunning || this.state === "done") return;
    this.isRunning = true;
    this.changed();
    try {
      if (!this.position) await this.prepare();
      const results = await this.scene.steps[this.position](this.stage);
      if (results) this.results = results;
      this.position++;
    } catch (error) {
      this.error = (error as Error).message;
    }
    this.isRunning = false;
    await this.stage.traffic.refresh();
    this.changed();
  }

  /** Forget what was shown, and undo what an interrupted scene has left. */
  private async prepare(): Promise<void> {
    await post("tidy");
    await this.stage.traffic.refresh();
    this.stage.traffic.clear();
  }

  /** Run all steps that are left. */
  async all(): Promise<void> {
    await this.next();
    while (this.state !== "done") {
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
      await this.next();
    }
  }
}
