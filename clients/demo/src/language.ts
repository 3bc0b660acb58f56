/** The language of the page. The server chooses it by Accept-Language, and a switch changes it. */

import { en, Texts } from "./texts/en";
import { zh } from "./texts/zh";

export type Language = "en" | "zh";

const KEY = "demo language";

/** Return the chosen language, or that of the page. */
export function language(): Language {
  const chosen = localStorage.getItem(KEY) || document.documentElement.lang;
  return chosen.startsWith("zh") ? "zh" : "en";
}

/** Return the texts in the language of the page. */
export function texts(): Texts {
  return language() === "zh" ? zh : en;
}

/** Choose the other language, and load the page again. */
export function switchLanguage(): void {
  localStorage.setItem(KEY, language() === "zh" ? "en" : "zh");
  location.reload();
}

/** Return the language in which the service answers. */
export function serviceLanguage(): "en" | "zh-CN" {
  return language() === "zh" ? "zh-CN" : "en";
}
