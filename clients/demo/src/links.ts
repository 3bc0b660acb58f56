/** Links to the documentation site of the service: the section that explains a request. */

import { language } from "./language";

const SECTIONS: { [kind: string]: string } = {
  "wx.login": "integrate#log-in",
  "wx.checkSession": "concepts#social-account",
  getPhoneNumber: "integrate#by-phone",
  getUserProfile: "integrate#profile",
  login: "concepts#the-login-pipeline",
  "password-login": "integrate#by-account-and-password",
  phone: "integrate#by-phone",
  bind: "integrate#by-account-and-password",
  unbind: "concepts#after-the-login",
  profile: "integrate#profile",
  refresh: "integrate#refresh",
  logout: "integrate#log-out-and-leave",
  "logout-all": "integrate#log-out-and-leave",
  jwt: "protect-your-api#jwt",
  me: "integrate#all-calls",
  sessions: "concepts#session",
  "end-device": "integrate#all-calls",
  "close-account": "integrate#log-out-and-leave",
  jscode2session: "concepts#the-login-pipeline",
  stable_token: "concepts#the-login-pipeline",
  getuserphonenumber: "integrate#by-phone",
  push: "operations#erasure",
  "sign-in": "console#operator-security",
  "end-session": "console#sessions",
  "add-customer": "console#users",
  audit: "console#audit-log",
};
const LINKING = "concepts#linking";

let guide = "";

/** Return the link for a kind of request. */
export function linkOf(kind: string): string {
  return addressOf(SECTIONS[kind] || "concepts#the-login-pipeline");
}

/** Return the link for a linking decision. */
export function linkOfDecision(): string {
  return addressOf(LINKING);
}

/** Return the link for an error code. */
export function linkOfError(code: string): string {
  return addressOf(`errors#${code}`);
}

/** Return the address of a page or section, in the language of the demo. */
export function addressOf(section: string): string {
  const [page, anchor] = section.split("#");
  const folder = language() === "zh" ? "zh-CN/" : "";
  return `${guide}${folder}${page}/${anchor ? `#${anchor}` : ""}`;
}

/** Let the links lead to the site of this service. */
export function linkToService(service: string): void {
  guide = `${service}/docs/guide/`;
}
