/** The page: two phones, the scenes, and the list of requests. */

import { people, tenants } from "./backend";
import { button, h } from "./dom";
import { language, switchLanguage, texts } from "./language";
import { addressOf, linkToService } from "./links";
import { Phone } from "./phone";
import { ScenePanel } from "./scene_panel";
import { showTimeline } from "./timeline";
import { Traffic } from "./traffic";

async function start(): Promise<void> {
  const words = texts();
  document.documentElement.lang = language() === "zh" ? "zh-CN" : "en";
  document.title = words.title;
  const { tenants: known, service } = await tenants();
  linkToService(service);
  const list = h("ol", { class: "timeline" });
  const traffic = new Traffic((exchanges) => showTimeline(list, exchanges));
  const left = new Phone("left", known);
  const right = new Phone("right", known);
  const scenes = new ScenePanel({ left, right, traffic, tenants: known });
  const lanes = (["phone", "service", "wechat"] as const).map((lane) => h("b", {}, words.lanes[lane]));
  document.body.append(
    header(service),
    h(
      "main",
      {},
      scenes.element,
      h("div", { class: "phones" }, left.element, right.element),
      h(
        "section",
        { class: "traffic", "aria-label": words.traffic },
        h("h2", {}, words.traffic, button(words.clear, () => traffic.clear(), "link")),
        h("div", { class: "lanes" }, ...lanes),
        list,
      ),
    ),
  );
  await traffic.start();
  const [first, second] = (await people()).map((person) => person.name);
  const [shop, club] = known.flatMap((tenant) => tenant.apps);
  await Promise.all([left.use(first, shop.appid), right.use(second, club.appid)]);
  document.body.dataset.ready = "true";
}

function header(service: string): HTMLElement {
  const words = texts();
  return h(
    "header",
    {},
    h("h1", {}, words.title),
    h("p", {}, words.about),
    h(
      "nav",
      {},
      h("a", { href: addressOf("concepts"), target: "_blank", rel: "noreferrer" }, words.docs),
      h("a", { href: `${service}/console/`, target: "_blank", rel: "noreferrer" }, words.console),
      button(words.other, switchLanguage, "language"),
    ),
  );
}

start().catch((error) => document.body.append(h("p", { class: "error", role: "alert" }, String(error))));
