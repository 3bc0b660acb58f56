/** The looks of the mini-program. */

import { button, h } from "./dom";
import { texts } from "./language";
import type { Program, State } from "./program";

/** Return the screen that a mini-program shows. */
export function screenOf(program: Program, appName: string): HTMLElement[] {
  const { state } = program;
  const screens: { [screen in State["screen"]]: () => HTMLElement[] } = {
    start: () => startScreen(program, appName),
    kicked: () => kickedScreen(program),
    unbound: () => unboundScreen(program),
    account: () => accountScreen(program),
    member: () => memberScreen(program),
    devices: () => devicesScreen(program),
  };
  return screens[state.screen]();
}

/** Return the dialog with which WeChat asks for the phone number. */
export function phoneSheet(program: Program, appName: string, phone: string): HTMLElement {
  const words = texts().program;
  return h(
    "div",
    { class: "shade" },
    h(
      "div",
      { class: "sheet", role: "dialog", "aria-label": words.sheetTitle },
      h("p", { class: "asker" }, mark(appName), h("span", {}, appName)),
      h("h3", {}, words.sheetTitle),
      h("p", { class: "muted" }, words.sheetText),
      h("p", { class: "number" }, h("b", {}, phone), h("small", {}, words.sheetNumber)),
      h(
        "p",
        { class: "choices" },
        button(words.deny, () => void program.answerPhone(false), "plain"),
        button(words.allow, () => void program.answerPhone(true), "primary"),
      ),
    ),
  );
}

/** Return the first letter of a name in a coloured square. */
export function mark(name: string): HTMLElement {
  const tone = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 5;
  return h("i", { class: `mark tone-${tone}`, "aria-hidden": "true" }, name.charAt(0).toUpperCase());
}

function startScreen(program: Program, appName: string): HTMLElement[] {
  const words = texts().program;
  return [
    h("div", { class: "hero" }, mark(appName), h("h3", {}, words.welcome), h("p", { class: "muted" }, words.hint)),
    action(program, words.logIn, () => void program.logIn()),
  ];
}

function kickedScreen(program: Program): HTMLElement[] {
  const words = texts().program;
  return [
    h("div", { class: "hero" }, h("h3", {}, words.kicked), h("p", { class: "muted" }, program.state.message)),
    action(program, words.logIn, () => void program.logIn()),
  ];
}

function unboundScreen(program: Program): HTMLElement[] {
  const words = texts().program;
  return [
    h("div", { class: "hero" }, h("h3", {}, words.almost), h("p", { class: "muted" }, words.almostHint)),
    action(program, words.byPhone, () => program.askForPhone()),
    button(words.byAccount, () => program.change({ screen: "account", message: "" }), "link"),
  ];
}

function accountScreen(program: Program): HTMLElement[] {
  const words = texts().program;
  const account = h("input", { placeholder: words.account, "aria-label": words.account, autocomplete: "off" });
  const password = h("input", { placeholder: words.password, "aria-label": words.password, type: "password", autocomplete: "off" });
  const values = () => [account, password].map((input) => (input as HTMLInputElement).value);
  const submit = () => {
    const [name, secret] = values();
    void program.bindAccount(name, secret);
  };
  return [
    h("div", { class: "card form" }, account, password),
    action(program, words.submit, submit),
    button(words.back, () => program.change({ screen: "unbound", message: "" }), "link"),
  ];
}

function memberScreen(program: Program): HTMLElement[] {
  const words = texts().program;
  const { user } = program.state;
  const name = user?.nickname || user?.account || "";
  const nickname = h("input", { placeholder: words.profile, "aria-label": words.profile, value: user?.nickname || "", maxlength: "20" });
  const save = () => void program.saveNickname((nickname as HTMLInputElement).value.trim(), words.saved);
  return [
    h(
      "div",
      { class: "card member" },
      mark(name || "?"),
      h(
        "div",
        {},
        h("b", { class: name ? "" : "muted" }, name || words.noName),
        h("small", {}, masked(user?.phone) || words.noPhone),
      ),
      h("span", { class: "badge" }, words.member),
    ),
    h("div", { class: "card row" }, nickname, button(words.save, save, "small")),
    h(
      "div",
      { class: "card rows" },
      button(words.devices, () => void program.listDevices(), "entry"),
      button(words.reopen, () => void program.logIn(), "entry"),
      button(words.logOut, () => void program.logOut(), "entry"),
    ),
  ];
}

function devicesScreen(program: Program): HTMLElement[] {
  const words = texts().program;
  const entries = program.state.sessions.map((session) =>
    h(
      "div",
      { class: "device" },
      h("div", {}, h("b", {}, modelOf(session.device)), h("small", {}, session.app_name || "")),
      session.current
        ? h("small", { class: "muted" }, words.thisDevice)
        : button(words.end, () => void program.endDevice(session.id), "small"),
    ),
  );
  return [
    h("div", { class: "card rows" }, ...entries),
    button(words.back, () => program.change({ screen: "member" }), "link"),
  ];
}

function action(program: Program, text: string, run: () => void): HTMLElement {
  return button(program.state.busy ? texts().program.loading : text, run, "primary", program.state.busy);
}

function masked(phone: string | null | undefined): string {
  return phone ? `${phone.slice(0, -8)}****${phone.slice(-4)}` : "";
}

function modelOf(device: string | null | undefined): string {
  return /Android/.test(device || "") ? "Android" : "iPhone";
}
