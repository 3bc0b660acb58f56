/** A phone on the page: its person and mini-program, its frame, and its screen. */

import { DemoTenant, newPerson, people, Person } from "./backend";
import { button, fill, h } from "./dom";
import { texts } from "./language";
import { Program } from "./program";
import { phoneSheet, screenOf } from "./screens";
import type { Side } from "./wx";

/** Shows one phone. */
export class Phone {
  readonly element: HTMLElement;
  program!: Program;
  private screen = h("div", { class: "screen" });
  private bar = h("div", { class: "bar" });
  private choices = h("div", { class: "choices-of-phone" });
  private known: Person[] = [];

  constructor(
    readonly side: Side,
    private tenants: DemoTenant[],
  ) {
    this.element = h(
      "section",
      { class: "phone", id: `phone-${side}`, "aria-label": texts().sides[side] },
      this.choices,
      h("div", { class: "frame" }, h("div", { class: "status" }, h("span", {}, "9:41"), h("span", { class: "battery" })), this.bar, this.screen),
    );
  }

  /** Put a mini-program of a person on the phone. A stored session is resumed. */
  async use(person: string, appid: string): Promise<void> {
    const program: Program = new Program(this.side, person, appid, () => this.program === program && this.show());
    program.isOld = !!this.program?.isOld;
    this.program = program;
    this.known = await people();
    if (this.program !== program) return;
    this.showChoices();
    this.show();
    if (program.hasSession) await program.logIn();
  }

  /** Choose the version of WeChat on the phone. */
  setOld(isOld: boolean): void {
    this.program.isOld = isOld;
    this.showChoices();
  }

  private show(): void {
    const { program } = this;
    const appName = this.appName();
    const { message, screen, asks } = program.state;
    fill(
      this.bar,
      h("b", {}, appName),
      h("span", { class: "capsule", "aria-hidden": "true" }, h("i", { class: "dots" }), h("i", { class: "ring" })),
    );
    const number = this.known.find((one) => one.name === program.wx.person)?.phone || "";
    fill(
      this.screen,
      ...screenOf(program, appName),
      message && screen !== "kicked" ? h("p", { class: "toast", role: "status" }, message) : null,
      asks ? phoneSheet(program, appName, number) : null,
    );
    this.element.dataset.person = program.wx.person;
    this.element.dataset.app = appName;
    this.element.dataset.screen = screen;
    this.element.dataset.busy = String(program.state.busy);
  }

  private showChoices(): void {
    const words = texts();
    const { person, appid } = this.program.wx;
    const persons = this.known.map(({ name, nickname }) => option(name, nickname, person));
    const apps = this.tenants.map((tenant) =>
      h("optgroup", { label: tenant.name }, ...tenant.apps.map((app) => option(app.appid, app.name, appid))),
    );
    const version = this.program.isOld ? "data" : "code";
    const buttons = (["code", "data"] as const).map((kind) => option(kind, words.buttons[kind], version));
    fill(
      this.choices,
      h("h2", {}, words.sides[this.side]),
      select(words.person, persons, (name) => void this.use(name, this.program.wx.appid)),
      select(words.app, apps, (other) => void this.use(this.program.wx.person, other)),
      select(words.button, buttons, (kind) => this.setOld(kind === "data")),
      button(words.newPerson, () => void newPerson().then((name) => this.use(name, this.program.wx.appid)), "link"),
    );
  }

  private appName(): string {
    const apps = this.tenants.flatMap((tenant) => tenant.apps);
    return apps.find((app) => app.appid === this.program.wx.appid)?.name || "";
  }
}

function option(value: string, text: string, chosen: string): HTMLElement {
  return h("option", { value, selected: value === chosen }, text);
}

function select(label: string, options: HTMLElement[], changed: (value: string) => void): HTMLElement {
  const list = h("select", { onchange: () => changed((list as HTMLSelectElement).value) }, ...options);
  return h("label", {}, h("span", {}, label), list);
}
