/** Runs the code of the documentation against the service and the simulator. */

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { afterAll, beforeAll, expect, inject, test } from "vitest";

import { FakeWx } from "./fakes/wx";
import { CLUB, newPerson, SHOP, until } from "./fakes/world";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const INSTALLATIONS = ["quick-start", "integrate-native", "integrate-uni-app", "integrate-taro"];
const PACKAGE = "../miniprogram_dist/index.js";
const nodeRequire = createRequire(import.meta.url);
const run = promisify(execFile);
const pages = {};
let folder;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wxpass-docs-"));
  for (const name of [...INSTALLATIONS, "integrate", "own-client", "simulator"]) {
    pages[name] = await readFile(join(ROOT, "docs", `${name}.md`), "utf8");
  }
});

afterAll(() => rm(folder, { recursive: true }));

/** Return the blocks of a page in a language. */
function blocks(page, language = "js") {
  const pattern = new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms");
  return [...pages[page].matchAll(pattern)].map((match) => match[1]);
}

/** Run a block of shell commands in a folder. */
async function shell(commands, cwd) {
  const env = { ...process.env, npm_config_pack_destination: join(folder, "wxpass") };
  return (await run("sh", ["-euc", commands], { cwd, env })).stdout;
}

/** Return the last block with this file name in its first line before the index `end`. */
function file(page, name, end) {
  return blocks(page)
    .slice(0, end)
    .findLast((block) => block.startsWith(`// ${name}\n`));
}

/** A mini-program whose files are blocks of a page, on a fake phone. */
class Program {
  modules = {};
  shown = [];

  constructor(wx, files) {
    wx.showToast = ({ title }) => this.shown.push(title);
    this.wx = wx;
    this.files = files;
  }

  /** Run a file once, as `require` does in a mini-program, and return its exports. */
  load(name) {
    if (name === "@wxpass/miniprogram") {
      globalThis.wx = this.wx; // The package reads the global when a transport is created.
      return nodeRequire(PACKAGE);
    }
    const path = `${name.replace(/^(\.\.?\/)+/, "")}.js`;
    if (!this.modules[path]) {
      const module = (this.modules[path] = { exports: {} });
      const Page = (options) => (this.page = { ...options, setData: (data) => Object.assign(this.page.data, data) });
      const start = new Function("require", "module", "wx", "Page", this.files[path]);
      start((other) => this.load(other), module, this.wx, Page);
    }
    return this.modules[path].exports;
  }

  /** Start the mini-program, open its first page, and wait for the login. */
  async open() {
    this.modules = {};
    this.load("./pages/index/index");
    this.page.onLoad();
    await this.load("./auth").login();
  }
}

/** Put the addresses of this test into the code of a page. */
function addressed(code) {
  const { service, simulator } = inject("addresses");
  return code
    .replaceAll("http://127.0.0.1:8000", service)
    .replaceAll("http://127.0.0.1:8001", simulator)
    .replaceAll("https://login.example.com", service);
}

test("quick start, step 4: a new person logs in with codes of the simulator, and the session is resumed", async () => {
  const { name, phone } = await newPerson();
  const files = Object.fromEntries(
    ["simulator.js", "auth.js", "pages/index/index.js"].map((path) => {
      const code = file("quick-start", path, 3).replace('"dave"', `"${name}"`);
      return [path, addressed(code)];
    }),
  );
  const program = new Program(new FakeWx(inject("addresses").simulator, "touristappid", "none"), files);

  await program.open();
  expect(program.page.data.user).toBe(null);
  program.page.onPhone();
  await until(() => program.page.data.user);
  expect(program.page.data.user.phone).toBe(`+86${phone}`);
  const session = [...program.wx.storage.values()];

  await program.open();
  await until(() => program.page.data.user);
  expect(program.page.data.user.phone).toBe(`+86${phone}`);
  expect([...program.wx.storage.values()]).toEqual(session);
  expect(program.wx.logins).toBe(0);
  expect(program.shown).toEqual([]);
});

test.each([
  ["on phone verification", SHOP, null],
  ["on first login", CLUB, expect.any(String)],
])("quick start, step 5: a person logs in with codes of wx.login, registered %s", async (_, appid, id) => {
  const { name, phone } = await newPerson();
  const files = Object.fromEntries(
    ["auth.js", "pages/index/index.js"].map((path) => [path, addressed(file("quick-start", path))]),
  );
  const program = new Program(new FakeWx(inject("addresses").simulator, appid, name), files);

  await program.open();
  expect(program.page.data.user?.id ?? null).toEqual(id);
  program.page.onPhone(await program.wx.tapPhone());
  await until(() => program.page.data.user?.phone);

  expect(program.page.data.user.phone).toBe(`+86${phone}`);
  expect(program.shown).toEqual([]);
});

test("quick start: the page has the handlers and the data that its template uses", () => {
  for (const [index, template] of [...pages["quick-start"].matchAll(/^```html\n(.*?)^```$/gms)].entries()) {
    const code = file("quick-start", "pages/index/index.js", index === 0 ? 3 : undefined);
    const handlers = [...template[1].matchAll(/bind\w+="(\w+)"/g)].map((match) => match[1]);
    expect(handlers.length).toBeGreaterThan(0);
    for (const handler of handlers) expect(code).toContain(`  ${handler}(`);
    expect(template[1]).toContain('wx:if="{{user}}"');
    expect(code).toContain("data: { user: null }");
  }
});

test("own client: the module logs in, binds by phone, renews a lost login, and sends the profile", async () => {
  const { name, phone } = await newPerson();
  const wx = new FakeWx(inject("addresses").simulator, SHOP, name);
  const [onPhone, profile] = blocks("integrate");
  const program = new Program(wx, { "auth.js": addressed(file("own-client", "auth.js")) });
  const auth = program.load("./auth");

  const problem = await auth.call("GET", "/v1/me").catch((error) => error);
  expect(problem.code).toBe("login_unbound");
  const bind = new Function("require", `${onPhone}; return onPhone;`)((other) => program.load(other));
  await bind({ detail: { errMsg: "getPhoneNumber:fail user deny" } });
  await bind(await wx.tapPhone());
  expect((await auth.call("GET", "/v1/me")).phone).toBe(`+86${phone}`);
  const { call, APP } = auth;
  await new Function("call", "APP", "nickname", `return ${profile}`)(call, APP, "小明");
  expect((await call("GET", "/v1/me")).nickname).toBe("小明");

  wx.setStorageSync("token", "");
  const [me, again] = await Promise.all([call("GET", "/v1/me"), call("GET", "/v1/me")]);
  expect([me.phone, again.phone]).toEqual([`+86${phone}`, `+86${phone}`]);
  wx.setStorageSync("refresh_token", "");
  wx.setStorageSync("token", "");
  expect((await call("GET", "/v1/me")).phone).toBe(`+86${phone}`);
  expect(wx.logins).toBe(2);
});

test.each(INSTALLATIONS)("%s: the commands pack the client and install it in a mini-program", async (page) => {
  const [pack, install] = blocks(page, "sh").filter((block) => block.startsWith("npm "));
  const program = join(folder, page);
  await mkdir(program, { recursive: true });
  await mkdir(join(folder, "wxpass"), { recursive: true });
  if (page !== "quick-start") await writeFile(join(program, "package.json"), "{}");

  await shell(pack, ROOT);
  await shell(install, program);

  const installed = join(program, "node_modules", "@wxpass", "miniprogram");
  const { miniprogram } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  expect(Object.keys(nodeRequire(join(installed, miniprogram)))).toContain("createClient");
});

test("simulator: a new person gets a code, and faults are injected", async () => {
  const { service, simulator } = inject("addresses");
  const [people, fault] = blocks("simulator", "sh").map(addressed);

  const [, code] = (await shell(people, folder)).match(/"code":\s*"(\w+)"/);
  const logIn = async (js_code) => {
    const headers = { "Content-Type": "application/json" };
    const body = JSON.stringify({ code: js_code });
    return fetch(`${service}/v1/apps/${SHOP}/login`, { method: "POST", headers, body });
  };
  expect((await logIn(code)).status).toBe(200);

  await shell(fault, folder);
  const answers = [await logIn("one"), await logIn("two"), await logIn("three")];
  await fetch(`${simulator}/_simulator/faults`, { method: "DELETE" });
  const codes = await Promise.all(answers.map(async (answer) => (await answer.json()).code));
  expect(codes).toEqual(["wechat_unavailable", "wechat_unavailable", "code_invalid"]);
});
