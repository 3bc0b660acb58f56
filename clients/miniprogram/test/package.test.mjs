import { readFile, readdir } from "node:fs/promises";
import { createRequire } from "node:module";

import { expect, inject, test } from "vitest";

import { TYPES, typesOf } from "../scripts/openapi.mjs";
import { FakeWx } from "./fakes/wx";
import { newPerson, SHOP } from "./fakes/world";

const require = createRequire(import.meta.url);
const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

test("the types are those of the running service: npm run generate", async () => {
  const document = await (await fetch(`${inject("addresses").service}/openapi.json`)).json();
  expect(await readFile(TYPES, "utf8")).toBe(await typesOf(document));
});

test("the three builds export the same functions", async () => {
  const names = Object.keys(await import("../src/index")).sort();
  expect(names).toContain("createClient");
  expect(Object.keys(require("../dist/index.js")).sort()).toEqual(names);
  expect(Object.keys(require("../miniprogram_dist/index.js")).sort()).toEqual(names);
  expect(Object.keys(await import("../dist/index.mjs")).sort()).toEqual(names);
});

test("every code that has a reason is a code of the service", async () => {
  const errors = await read("../src/errors.ts");
  const table = errors.slice(errors.indexOf("const REASONS"), errors.indexOf("/** Return whether"));
  const codes = [...table.matchAll(/^ {2}(\w+): "/gm)].map((match) => match[1]);
  const documented = await read("../../../docs/errors.md");
  const own = ["logged_out", "http_401"];
  expect(codes.length).toBeGreaterThan(10);
  expect(codes.filter((code) => !own.includes(code) && !documented.includes(`| \`${code}\` |`))).toEqual([]);
});

test.each(["README.md", "README.zh-CN.md"])("%s lists every code of the client", async (page) => {
  const files = (await readdir(new URL("../src", import.meta.url), { recursive: true })).filter((name) => name.endsWith(".ts"));
  const sources = (await Promise.all(files.map((name) => read(`../src/${name}`)))).join("");
  const codes = new Set([...sources.matchAll(/newError\(\s*"(\w+)"/g)].map((match) => match[1]));
  const text = await read(`../${page}`);
  expect(codes.size).toBeGreaterThan(10);
  expect([...codes].filter((code) => !text.includes(`| \`${code}\` |`))).toEqual([]);
});

test("the native component binds by phone, and reports a refusal", async () => {
  const { service, simulator } = inject("addresses");
  const { name, phone } = await newPerson();
  const wx = new FakeWx(simulator, SHOP, name);
  const { createClient, wxTransport } = require("../miniprogram_dist/index.js");
  let component;
  globalThis.Component = (options) => (component = options);
  require("../miniprogram_dist/phone-button/index.js");
  delete globalThis.Component;
  const events = [];
  const instance = {
    data: { appid: SHOP, buttonId: "phone" },
    setData: (data) => Object.assign(instance.data, data),
    triggerEvent: (event, detail) => events.push([event, detail]),
  };
  const tap = (event) => component.methods.onPhone.call(instance, event);

  await tap({ detail: {} });
  component.methods.onAgree.call(instance);
  createClient({ baseUrl: service, transport: wxTransport(wx) });
  await tap({ detail: { errMsg: "getPhoneNumber:fail user deny" } });
  const tapped = tap(await wx.tapPhone());
  expect(instance.data.busy).toBe(true);
  await tapped;

  expect(instance.data.busy).toBe(false);
  expect(events.splice(1, 1)).toEqual([["agree", { buttonId: "phone" }]]);
  expect(events).toMatchObject([
    ["fail", { message: "call createClient first" }],
    ["fail", { code: "declined", reason: "declined" }],
    ["login", { bound: true, user: { phone: `+86${phone}` } }],
  ]);
  const page = await read("../miniprogram_dist/phone-button/index.wxml");
  const used = [...page.matchAll(/\{\{([^}]+)\}\}/g)].flatMap((match) => match[1].match(/\w+/g));
  const known = { ...component.properties, ...component.data };
  expect(used.filter((property) => !(property in known))).toEqual([]);
  const handlers = [...page.matchAll(/bind\w+="(\w+)"/g)].map((match) => match[1]);
  expect(handlers.filter((handler) => !component.methods[handler])).toEqual([]);
});
