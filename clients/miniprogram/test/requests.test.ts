import { expect, test } from "vitest";

import { change, errorOf, gate, newWorld, stored, until } from "./fakes/world";

const JSON_TYPE = { "content-type": "application/json" };
const never = new Promise(() => undefined);

/** A refusal of an overloaded service. */
function busy(status: number, header: Record<string, string>, code = "logins_too_many") {
  return { status, header: { ...JSON_TYPE, ...header }, body: JSON.stringify({ code, detail: "Wait." }) };
}

test("a POST that times out is not repeated", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/profile", until: never });
  const post = { url: "/v1/apps/wxaaaa000000000002/profile", method: "POST" as const, timeout: 200 };
  const error = await errorOf(client.request({ ...post, data: { nickname: "Ann" } }));
  expect(error).toMatchObject({ code: "timeout", reason: "timeout", status: 0 });
  expect(proxy.to("/profile")).toHaveLength(1);
});

test("a lost connection rejects with network and errMsg, and is not repeated", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", loseResponse: true });
  const error = await errorOf(client.me());
  expect(error).toMatchObject({ reason: "network", message: "request:fail net::ERR_CONNECTION_RESET" });
  expect(proxy.to("/v1/me")).toHaveLength(1);
  wx.online = false;
  expect(await errorOf(client.me())).toMatchObject({ reason: "network" });
});

test("a platform that never calls back is timed out by the client", async () => {
  const { client, wx } = await newWorld();
  await client.login();
  wx.request = () => ({ abort: () => wx.aborts++ });
  expect(await errorOf(client.request({ url: "/v1/me", timeout: 50 }))).toMatchObject({ reason: "timeout" });
  expect(wx.aborts).toBe(1);
});

test("Retry-After in seconds is waited for", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: busy(429, { "Retry-After": "1" }) });
  const began = Date.now();
  await client.me();
  expect(Date.now() - began).toBeGreaterThanOrEqual(1000);
  expect(proxy.to("/v1/me")).toHaveLength(2);
});

test("Retry-After as a date is measured by the clock of the server", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  const tomorrow = Date.now() + 86400e3;
  const header = {
    Date: new Date(tomorrow).toUTCString(),
    "Retry-After": new Date(tomorrow + 1000).toUTCString(),
  };
  proxy.fault({ path: "/v1/me", answer: busy(503, header) });
  const began = Date.now();
  await client.me();
  const waited = Date.now() - began;
  expect([waited >= 1000, waited < 5000]).toEqual([true, true]);
});

test("a Retry-After above the limit rejects immediately and is reported", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: busy(429, { "Retry-After": "3600" }) });
  expect(await errorOf(client.me())).toMatchObject({ reason: "busy", retryAfter: 3600, code: "logins_too_many" });
  expect(proxy.to("/v1/me")).toHaveLength(1);
});

test.each([
  ["without Retry-After", 503, {}, "database_unavailable", 1],
  ["with one that is no time", 429, { "Retry-After": "soon" }, "logins_too_many", 1],
  ["of a wrong password", 429, { "Retry-After": "0" }, "too_many_tries", 1],
  ["that comes again", 503, { "Retry-After": "0" }, "wechat_busy", 3],
])("a refusal %s is sent at most so often", async (_, status, header, code, sent) => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", times: 9, answer: busy(status, header, code) });
  expect(await errorOf(client.me())).toMatchObject({ code, status });
  expect(proxy.to("/v1/me")).toHaveLength(sent);
});

test("a login that WeChat could not answer is repeated with a new code", async () => {
  const { client, proxy, wx } = await newWorld();
  proxy.fault({ path: "/login", answer: busy(503, { "Retry-After": "0" }, "wechat_unavailable") });
  await client.login();
  const [first, second] = proxy.to("/login").map((one) => JSON.parse(one.body).code);
  expect([second === first, wx.logins]).toEqual([false, 2]);
});

test.each([
  ["an HTML page of a proxy", 502, "<html>Bad Gateway</html>", "http_502", "server"],
  ["an HTML page with status 200", 200, "<html>Log in to the Wi-Fi</html>", "response_not_json", "server"],
  ["broken JSON", 200, '{"id": "1', "response_not_json", "server"],
  ["a JSON error without a code", 400, '{"message": "no"}', "http_400", "refused"],
  ["a JSON error that is no object", 500, '"no"', "http_500", "server"],
  ["an empty error", 504, "", "http_504", "server"],
])("%s rejects with a code of its own", async (_, status, body, code, reason) => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: { status, header: { "content-type": "text/html" }, body } });
  expect(await errorOf(client.me())).toMatchObject({ code, reason, status, name: "WxpassError" });
});

test.each(["<html>", "{}", "null", '{"token": 1}', ""])("a login answered with %s stores nothing", async (body) => {
  const { client, proxy, wx } = await newWorld();
  proxy.fault({ path: "/login", answer: { status: 200, body } });
  expect(await errorOf(client.login())).toMatchObject({ reason: "server" });
  expect(wx.storage.size).toBe(0);
  await client.login();
});

test("an error has the request id and the messages about fields", async () => {
  const { client } = await newWorld();
  await client.login();
  const change = { url: "/v1/me/password", method: "POST" as const, data: { old_password: "x" } };
  const error = await errorOf(client.request(change));
  expect(error).toMatchObject({ code: "request_invalid", reason: "refused", status: 422 });
  expect(error.errors).toHaveProperty("new_password");
  expect(error.requestId).toMatch(/\S{8,}/);
});

test("an aborted request rejects, and closes its connection", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", until: never });
  const call = client.me();
  await until(() => proxy.to("/v1/me").length === 1);
  call.abort();
  call.abort();
  expect(await errorOf(call)).toMatchObject({ code: "aborted", reason: "aborted" });
  expect(wx.aborts).toBe(1);
  await client.me();
});

test("an abort after the end changes nothing", async () => {
  const { client, wx } = await newWorld();
  const call = client.me();
  const user = await call;
  call.abort();
  expect([await call, wx.aborts]).toEqual([user, 0]);
});

test("a request that is aborted while it waits for Retry-After is not sent again", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: busy(503, { "Retry-After": "1" }) });
  const call = client.me();
  await until(() => proxy.to("/v1/me").length === 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  call.abort();
  expect(await errorOf(call)).toMatchObject({ reason: "aborted" });
  await new Promise((resolve) => setTimeout(resolve, 1300));
  expect(proxy.to("/v1/me")).toHaveLength(1);
});

test("a request that is aborted during a refresh does not stop the others", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  const slow = gate();
  proxy.fault({ path: "/refresh", until: slow.promise });
  const aborted = client.me();
  const other = client.me();
  await until(() => proxy.to("/refresh").length === 1);
  aborted.abort();
  expect(await errorOf(aborted)).toMatchObject({ reason: "aborted" });
  slow.open();
  await other;
  expect(proxy.to("/v1/me")).toHaveLength(3);
});

test.each([
  "https://evil.example",
  "@evil.example/v1/me",
  ".evil.example/v1/me",
  "v1/me",
  "",
  "http://127.0.0.1@evil.example/",
])("the token is not sent to %s", async (url) => {
  const { client, wx } = await newWorld();
  await client.login();
  const sent = wx.requests;
  expect(await errorOf(client.request({ url }))).toMatchObject({ code: "origin_not_allowed" });
  expect(wx.requests).toBe(sent);
});

test("the token is sent to the origins that the options name", async () => {
  const { newClient } = await newWorld();
  const { baseUrl, proxy } = await newWorld();
  const client = newClient({ tokenOrigins: [baseUrl] });
  const login = await client.login();
  const user = await client.request({ url: `${baseUrl}/v1/me`, header: { Authorization: "mine" } });
  expect(user).toEqual(login.user);
  expect(proxy.to("/v1/me")).toHaveLength(1);
});

test("data of a GET is sent as the query, without undefined values", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  await client.login({ fresh: true });
  const page = await client.sessions({ limit: 1, cursor: undefined });
  expect(page.items).toHaveLength(1);
  const filter = { "a b": "1&2", c: 0, d: undefined };
  await client.request({ url: "/v1/me/sessions?limit=2", data: filter });
  const paths = proxy.to("/sessions").map((one) => one.path);
  expect(paths).toEqual(["/v1/me/sessions?limit=1", "/v1/me/sessions?limit=2&a%20b=1%262&c=0"]);
});
