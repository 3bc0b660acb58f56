/** The list of exchanges as a sequence diagram of phone, service and WeChat. */

import { fill, h } from "./dom";
import { texts } from "./language";
import { linkOf, linkOfDecision, linkOfError } from "./links";
import { summaryOf, toneOf } from "./summary";
import type { Exchange, Place } from "./traffic";

interface Line {
  exchange: Exchange;
  isAnswer: boolean;
  at: number;
}

const opened = new Set<number>();

/** Show exchanges. Details that the reader opened stay open. */
export function showTimeline(list: HTMLElement, exchanges: Exchange[]): void {
  const lines = linesOf(exchanges);
  if (!lines.length) return fill(list, h("li", { class: "empty" }, texts().empty));
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  fill(list, ...lines.map(lineElement));
  if (isAtEnd) list.scrollTop = list.scrollHeight;
}

/** Return requests and answers in the order of their times. */
function linesOf(exchanges: Exchange[]): Line[] {
  const lines: Line[] = [];
  for (const exchange of exchanges) {
    lines.push({ exchange, isAnswer: false, at: exchange.at });
    if (exchange.ended !== null) lines.push({ exchange, isAnswer: true, at: exchange.ended });
  }
  return lines.sort((one, other) => one.at - other.at);
}

function lineElement({ exchange, isAnswer }: Line): HTMLElement {
  const source = laneOf(exchange.source);
  const target = laneOf(exchange.target);
  const [from, to] = isAnswer ? [target, source] : [source, target];
  const classes = ["line", `from-${from}`, `to-${to}`, isAnswer ? "answer" : "request"];
  if (isAnswer) classes.push(toneOf(exchange));
  if (exchange.source === "console") classes.push("console");
  const item = h("li", { class: classes.join(" "), "data-kind": exchange.kind, "data-id": String(exchange.id) });
  item.append(summary(exchange, isAnswer));
  if (isAnswer) item.append(...decisionOf(exchange));
  return item;
}

function summary(exchange: Exchange, isAnswer: boolean): HTMLElement {
  const { lanes, kinds, sides, docs } = texts();
  const who = exchange.source === "console" ? lanes.console : exchange.phone ? sides[exchange.phone] : "";
  const details = h("details", { ontoggle: () => remember(exchange, isAnswer, details as HTMLDetailsElement) });
  if (opened.has(keyOf(exchange, isAnswer))) details.setAttribute("open", "");
  const name = isAnswer ? summaryOf(exchange) : kinds[exchange.kind] || exchange.kind;
  details.append(
    h(
      "summary",
      {},
      !isAnswer && who && h("small", {}, who),
      h("b", {}, name),
      isAnswer && exchange.ended !== null && h("small", {}, milliseconds(exchange.ended - exchange.at)),
      h("i", { class: "arrow" }),
    ),
    h(
      "div",
      { class: "detail" },
      h("pre", {}, readable(isAnswer ? exchange.answer : exchange.request)),
      h("a", { href: linkOf(exchange.kind), target: "_blank", rel: "noreferrer" }, docs),
    ),
  );
  return details;
}

/** Return the decision, or the error, with the reason that the service's log gives. */
function decisionOf(exchange: Exchange): HTMLElement[] {
  const { decision, evidence, registration, failure, cause, errcode } = exchange.facts;
  const words = texts();
  if (failure) {
    const isKnown = !errcode || errcode === "None" || (cause || "").includes(errcode);
    const why = [exchange.answer?.detail, cause, !isKnown && `errcode ${errcode}`];
    return [note("refused", failure, why.filter(Boolean).join(" · "), linkOfError(failure))];
  }
  if (!decision) return [];
  const why = [words.evidence[evidence], words.policies[registration]].filter(Boolean).join(" · ");
  return [note("decided", words.decisions[decision] || decision, why, linkOfDecision())];
}

function note(kind: string, name: string, why: string, link: string): HTMLElement {
  const words = texts();
  return h(
    "div",
    { class: `note ${kind}`, "data-name": name },
    h("b", {}, `${kind === "refused" ? words.refused : words.decision}: ${name}`),
    h("span", {}, why),
    h("small", {}, `${words.log} · `, h("a", { href: link, target: "_blank", rel: "noreferrer" }, words.docs)),
  );
}

function milliseconds(seconds: number): string {
  return seconds < 0.001 ? "< 1 ms" : `${Math.round(seconds * 1000)} ms`;
}

function laneOf(place: Place): "phone" | "service" | "wechat" {
  return place === "console" ? "phone" : place;
}

function remember(exchange: Exchange, isAnswer: boolean, details: HTMLDetailsElement): void {
  const key = keyOf(exchange, isAnswer);
  if (details.open) opened.add(key);
  else opened.delete(key);
}

function keyOf(exchange: Exchange, isAnswer: boolean): number {
  return exchange.id * 2 + Number(isAnswer);
}

/** Return a value as lines of `name: value`. */
function readable(value: any, indent = ""): string {
  if (value === null || value === undefined) return "";
  if (typeof value !== "object") return `${indent}${value}\n`;
  return Object.entries(value)
    .filter(([, entry]) => entry !== null)
    .map(([name, entry]) =>
      typeof entry === "object" ? `${indent}${name}:\n${readable(entry, `${indent}  `)}` : `${indent}${name}: ${entry}\n`,
    )
    .join("");
}
