import { expect, test } from "vitest";

import { change, errorOf, newWorld, SHOP, stored } from "./fakes/world";
import { simulate } from "./fakes/wx";

test("a tap on the phone button registers the person", async () => {
  const { client, logins, person, wx } = await newWorld(SHOP);
  await client.login();
  const login = await client.onPhone(await wx.tapPhone());
  expect(login).toMatchObject({ bound: true, user: { phone: `+86${person.phone}` } });
  expect(await client.me()).toEqual(login.user);
  expect(logins).toEqual([{ bound: false, user: null }, login]);
});

test("a phone button of an old base library is answered with encryptedData and iv", async () => {
  const { client, person, wx } = await newWorld(SHOP);
  await client.login();
  const { detail } = await wx.tapPhone();
  delete detail.code;
  expect(await client.onPhone({ detail })).toMatchObject({ user: { phone: `+86${person.phone}` } });
});

test("a tap without a session logs in first", async () => {
  const { client, wx } = await newWorld(SHOP);
  expect(await client.onPhone(await wx.tapPhone())).toMatchObject({ bound: true });
  expect(wx.logins).toBe(1);
});

test("a tap with an expired session uses the code once", async () => {
  const { client, proxy, wx } = await newWorld(SHOP);
  await client.login();
  await change("expire", stored(wx).token);
  expect(await client.onPhone(await wx.tapPhone())).toMatchObject({ bound: true });
  expect(proxy.to("/phone").map((one) => one.status)).toEqual([401, 200]);
});

test("two taps at the same time are sent in turn", async () => {
  const { client, wx } = await newWorld(SHOP);
  await client.login();
  const taps = [await wx.tapPhone(), await wx.tapPhone()];
  const logins = await Promise.all(taps.map((tap) => client.onPhone(tap)));
  expect(logins[0].user!.id).toBe(logins[1].user!.id);
  await client.me();
  expect(wx.logins).toBe(1);
});

test("a request during a binding is repeated with the new token", async () => {
  const { client, wx } = await newWorld(SHOP);
  await client.login();
  const tap = await wx.tapPhone();
  const binding = client.onPhone(tap);
  const names = Array.from({ length: 10 }, (_, index) => client.onProfile({ nickname: `n${index}` }));
  await Promise.all([binding, ...names]);
  expect(wx.logins).toBe(1);
});

test("a lost response of a binding costs the next request a login", async () => {
  const { client, proxy, wx } = await newWorld(SHOP);
  await client.login();
  proxy.fault({ path: "/phone", loseResponse: true });
  expect(await errorOf(client.onPhone(await wx.tapPhone()))).toMatchObject({ reason: "network" });
  expect((await client.me()).phone).toMatch(/^\+86139/);
  expect([proxy.to("/phone").length, wx.logins]).toEqual([1, 2]);
});

test.each([
  [{ errMsg: "getPhoneNumber:fail user deny" }, "declined", "declined"],
  [{ errMsg: "getPhoneNumber:fail user cancel" }, "declined", "declined"],
  [{ errMsg: "getPhoneNumber:fail privacy permission is not authorized" }, "privacy_refused", "privacy"],
  [{ errMsg: "getPhoneNumber:fail", errno: 104 }, "privacy_refused", "privacy"],
  [{ errMsg: "getPhoneNumber:fail", errno: 103 }, "privacy_refused", "privacy"],
  [
    { errMsg: "getPhoneNumber:fail api scope is not declared in the privacy agreement", errno: 112 },
    "privacy_undeclared",
    "unavailable",
  ],
  [{ errMsg: "getPhoneNumber:fail", errno: 1400001 }, "phone_quota_used", "unavailable"],
  [{ errMsg: "getPhoneNumber:fail no permission" }, "no_data", "unavailable"],
  [{}, "no_data", "unavailable"],
])("the phone event %j rejects with %s and sends nothing", async (detail, code, reason) => {
  const { client, wx } = await newWorld(SHOP);
  expect(await errorOf(client.onPhone({ detail }))).toMatchObject({ code, reason, status: 0 });
  expect([wx.requests, wx.logins]).toEqual([0, 0]);
});

test("data that no session_key decrypts logs in, so that the next tap succeeds", async () => {
  const { client, wx } = await newWorld(SHOP);
  await client.login();
  const body = { person: wx.person, appid: SHOP, stale: true };
  const { encryptedData, iv } = await simulate(wx.simulator, "phone", body);
  const error = await errorOf(client.onPhone({ detail: { encryptedData, iv } }));
  expect(error).toMatchObject({ code: "session_key_expired", reason: "refused" });
  expect(wx.logins).toBe(2);
  const { detail } = await wx.tapPhone();
  delete detail.code;
  expect(await client.onPhone({ detail })).toMatchObject({ bound: true });
});

test("the phone of a disabled user rejects with disabled, and the session stays", async () => {
  const { client, person, wx } = await newWorld(SHOP);
  await client.onPhone(await wx.tapPhone());
  await change("disable", stored(wx).token);
  const other = await newWorld(SHOP);
  await simulate(wx.simulator, "people", { name: other.person.name, phone: person.phone });
  await other.client.login();
  expect(await errorOf(other.client.onPhone(await other.wx.tapPhone()))).toMatchObject({ reason: "disabled" });
  expect([other.kicked, other.client.isLoggedOut(), other.logins.length]).toEqual([[], false, 1]);
});

test("a renewal on the way to a disabled user's phone does not lose the session either", async () => {
  const { client, person, wx } = await newWorld(SHOP);
  await client.onPhone(await wx.tapPhone());
  await change("disable", stored(wx).token);
  const other = await newWorld(SHOP);
  await simulate(wx.simulator, "people", { name: other.person.name, phone: person.phone });
  await other.client.login();
  await change("expire", stored(other.wx).token);
  expect(await errorOf(other.client.onPhone(await other.wx.tapPhone()))).toMatchObject({ reason: "disabled" });
  expect([other.wx.logins, other.kicked, other.client.isLoggedOut()]).toEqual([2, [], false]);
});

test("account and password bind the person, who is then known to wx.login", async () => {
  const { client, wx } = await newWorld(SHOP);
  await client.login();
  const login = await client.bindAccount("alice", "alice-likes-green-tea");
  expect(login.user!.account).toBe("alice");
  wx.storage.clear();
  expect(await client.login()).toEqual(login);
  const rest = await client.unbind();
  expect(rest).toEqual({ bound: false, user: null });
  expect(await errorOf(client.me())).toMatchObject({ reason: "unbound" });
});

test("a profile comes from a form, from a user-info button, or from values", async () => {
  const { client, wx } = await newWorld();
  await client.login();
  const avatar_url = "https://cdn.example.com/ann.png";
  expect(await client.onProfile({ detail: { value: { nickname: "Ann", avatar_url } } })).toEqual({
    nickname: "Ann",
    avatar_url,
  });
  expect(await client.onProfile({ nickname: "Bea 🌻" })).toMatchObject({ nickname: "Bea 🌻" });
  const button = await simulate(wx.simulator, "user-info", { person: wx.person, appid: wx.appId });
  expect(await client.onProfile({ detail: { ...button, errMsg: "getUserInfo:ok" } })).toBeTruthy();
});

test.each([
  [{ nickname: "Ann", avatar_url: "http://tmp/a.png" }, "avatar_not_uploaded"],
  [{ nickname: "Ann", avatar_url: "wxfile://tmp/a.png" }, "avatar_not_uploaded"],
  [{ detail: { errMsg: "getUserProfile:fail auth deny" } }, "declined"],
  [{ detail: { value: { nickname: "" } } }, "no_data"],
])("the profile %j rejects with %s and sends nothing", async (event, code) => {
  const { client, wx } = await newWorld();
  expect(await errorOf(client.onProfile(event))).toMatchObject({ code });
  expect(wx.requests).toBe(0);
});
