import { expect, inject, test } from "vitest";

import { createClient, getClient, wxTransport } from "../src/index";
import { change, errorOf, newPerson, newWorld, SHOP, stored, until } from "./fakes/world";
import { FakeWx } from "./fakes/wx";

test("a first login opens a session and resolves to the user", async () => {
  const { client, logins } = await newWorld();
  const login = await client.login();
  expect(login).toEqual({ bound: true, user: expect.objectContaining({ phone: null }) });
  expect((await client.me()).id).toBe(login.user!.id);
  expect(logins).toEqual([login]);
});

test("a new person is unbound where users register by phone, and me rejects with unbound", async () => {
  const { client } = await newWorld(SHOP);
  expect(await client.login()).toEqual({ bound: false, user: null });
  expect(await errorOf(client.me())).toMatchObject({ reason: "unbound", code: "login_unbound", status: 403 });
});

test("ten logins at the same time call wx.login once", async () => {
  const { client, proxy, wx } = await newWorld();
  const logins = await Promise.all(Array.from({ length: 10 }, () => client.login()));
  expect(new Set(logins.map((login) => login.user!.id)).size).toBe(1);
  expect(wx.logins).toBe(1);
  expect(proxy.to("/login")).toHaveLength(1);
});

test("a login of a stored session does not call wx.login", async () => {
  const { client, newClient, wx } = await newWorld();
  const login = await client.login();
  expect(await newClient().login()).toEqual(login);
  expect(wx.logins).toBe(1);
});

test("a login with an expired session refreshes it", async () => {
  const { client, newClient, proxy, wx } = await newWorld();
  const login = await client.login();
  await change("expire", stored(wx).token);
  expect(await newClient().login()).toEqual(login);
  expect([wx.logins, proxy.to("/refresh").length]).toEqual([1, 1]);
});

test("a login with a revoked session opens a new one without kicked", async () => {
  const { client, kicked, wx } = await newWorld();
  const login = await client.login();
  await change("revoke", stored(wx).token);
  expect(await client.login()).toEqual(login);
  expect([wx.logins, kicked]).toEqual([2, []]);
});

test("a fresh login replaces the session and ends the previous one", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  const before = stored(wx).token;
  await client.login({ fresh: true });
  expect(stored(wx).token).not.toBe(before);
  await until(() => proxy.to("/logout").some((one) => one.token === before && one.status === 204));
  expect((await client.sessions()).items).toHaveLength(1);
});

test("a login for open data calls wx.login only if the session_key has expired", async () => {
  const { client, wx } = await newWorld();
  await client.login({ sessionKey: true });
  await client.login({ sessionKey: true });
  expect(wx.logins).toBe(1);
  wx.sessionKeyIsValid = false;
  await client.login({ sessionKey: true });
  expect(wx.logins).toBe(2);
});

test("a request without a session logs in first, once for all requests", async () => {
  const { client, wx } = await newWorld();
  const users = await Promise.all(Array.from({ length: 5 }, () => client.me()));
  expect(new Set(users.map((user) => user.id)).size).toBe(1);
  expect(wx.logins).toBe(1);
});

test("a used code is replaced by a new one", async () => {
  const { client, newClient, wx } = await newWorld();
  const other = new FakeWx(wx.simulator, wx.appId, wx.person, "another device");
  const codes: string[] = [];
  await new Promise<void>((resolve) =>
    other.login({
      success: (result) => {
        codes.push(result.code);
        resolve();
      },
    }),
  );
  other.codes = [codes[0]];
  await newClient({ transport: wxTransport(other) }).login();
  wx.codes = [codes[0]];
  expect(await client.login()).toMatchObject({ bound: true });
  expect(wx.logins).toBe(2);
});

test("a code that is refused twice rejects, and the next login works", async () => {
  const { client, wx } = await newWorld();
  wx.codes = ["invented1", "invented2"];
  expect(await errorOf(client.login())).toMatchObject({ code: "code_invalid", reason: "refused" });
  expect(wx.logins).toBe(2);
  expect(await client.login()).toMatchObject({ bound: true });
});

test("a failure of wx.login rejects with its errMsg", async () => {
  const { client, wx } = await newWorld();
  wx.loginFails = "login:fail system error";
  expect(await errorOf(client.login())).toMatchObject({
    code: "wx_login_failed",
    message: "login:fail system error",
    reason: "network",
  });
});

test("a disabled user cannot log in", async () => {
  const { client, kicked, newClient, wx } = await newWorld();
  await client.login();
  await change("disable", stored(wx).token);
  expect(await errorOf(newClient().login())).toMatchObject({ reason: "disabled", code: "user_disabled" });
  expect(kicked).toEqual([]);
});

test("account and password log in without WeChat, and a wrong password rejects", async () => {
  const { client, wx } = await newWorld(SHOP);
  const error = await errorOf(client.passwordLogin("alice", "wrong-password"));
  expect(error).toMatchObject({ code: "credentials_wrong", reason: "refused", status: 401 });
  const login = await client.passwordLogin("alice", "alice-likes-green-tea");
  expect(login.user!.account).toBe("alice");
  expect(wx.logins).toBe(0);
  expect(await client.login()).toEqual(login);
});

test("a login that finds a revoked password session rejects, and the next one uses WeChat", async () => {
  const { client, kicked, wx } = await newWorld(SHOP);
  await client.passwordLogin("alice", "alice-likes-green-tea");
  await change("revoke", stored(wx).token);
  expect(await errorOf(client.login())).toMatchObject({ reason: "revoked" });
  expect([kicked.length, wx.logins]).toEqual([1, 0]);
  expect(await client.login()).toEqual({ bound: false, user: null });
});

test("a login by password ends the session before it", async () => {
  const { client, proxy, wx } = await newWorld(SHOP);
  await client.login();
  const before = stored(wx).token;
  await client.passwordLogin("alice", "alice-likes-green-tea");
  await until(() => proxy.to("/logout").some((one) => one.token === before && one.status === 204));
});

test("the language of messages can be chosen", async () => {
  const { newClient } = await newWorld(SHOP);
  const client = newClient({ language: "zh-CN" });
  expect((await errorOf(client.me())).message).toMatch(/[\u4e00-\u9fff]/);
});

test("two appids in one storage have their own sessions", async () => {
  const { baseUrl, client, newClient, wx } = await newWorld();
  await client.login();
  const other = new FakeWx(wx.simulator, SHOP, wx.person);
  other.storage.set = wx.storage.set.bind(wx.storage);
  other.storage.get = wx.storage.get.bind(wx.storage);
  const shop = createClient({ baseUrl, transport: wxTransport(other) });
  // The person is known by the unionid, so the session is bound as well.
  await shop.login();
  expect(wx.storage.size).toBe(2);
  await shop.logout();
  expect(await client.me()).toEqual(await newClient().me());
});

test("two services in one storage have their own sessions", async () => {
  const { client, newClient, wx } = await newWorld();
  await client.login();
  const { service } = inject("addresses");
  await newClient({ baseUrl: `${service}/` }).login();
  expect(wx.storage.size).toBe(2);
});

test("createClient needs an address and an appid", async () => {
  const { simulator } = inject("addresses");
  const { name } = await newPerson();
  const unknown = wxTransport(new FakeWx(simulator, "", name));
  expect(() => createClient({ baseUrl: "https://login.example.com", transport: unknown })).toThrow("appid");
  expect(() => createClient({ baseUrl: "login.example.com", appid: "wx1", transport: unknown })).toThrow("baseUrl");
  const client = createClient({ baseUrl: "https://login.example.com", appid: "wx1", transport: unknown });
  expect(getClient("wx1")).toBe(client);
});
