import { expect, test } from "vitest";

import { change, errorOf, gate, newWorld, SHOP, stored, until } from "./fakes/world";

const PASSWORD = "bob-likes-green-tea";

test("a logout ends the session in the service, and later requests are rejected", async () => {
  const { client, kicked, newClient, wx } = await newWorld();
  await client.login();
  const { token } = stored(wx);
  await client.logout();
  expect(stored(wx)).toEqual({ out: true });
  const sent = wx.requests;
  expect(await errorOf(client.me())).toMatchObject({ code: "logged_out", reason: "ended" });
  expect(await errorOf(newClient().me())).toMatchObject({ code: "logged_out" });
  expect([wx.requests, wx.logins, kicked, client.isLoggedOut()]).toEqual([sent, 1, [], true]);
  wx.setStorageSync([...wx.storage.keys()][0], JSON.stringify({ token, byPassword: true }));
  expect(await errorOf(newClient().me())).toMatchObject({ code: "session_ended" });
});

test("a login after a logout opens a new session", async () => {
  const { client, wx } = await newWorld();
  await client.login();
  await client.logout();
  await client.login();
  await client.me();
  expect([wx.logins, client.isLoggedOut()]).toEqual([2, false]);
});

test("the response of a login that arrives after a logout is not stored, and its session ended", async () => {
  const { client, logins, proxy, wx } = await newWorld();
  const slow = gate();
  proxy.fault({ path: "/login", until: slow.promise });
  const login = client.login();
  await until(() => proxy.to("/login").length === 1);
  await client.logout();
  slow.open();
  expect(await errorOf(login)).toMatchObject({ code: "logged_out" });
  expect(stored(wx)).toEqual({ out: true });
  await until(() => proxy.to("/logout").some((one) => one.status === 204));
  expect(logins).toEqual([]);
});

test("the response of a refresh that arrives after a logout is not stored, and its session ended", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  const { token } = stored(wx);
  await change("expire", token);
  const slow = gate();
  proxy.fault({ path: "/refresh", until: slow.promise });
  const requests = [client.me(), client.me(), client.me()];
  await until(() => proxy.to("/refresh").some((one) => one.status === 200));
  await client.logout();
  slow.open();
  for (const request of requests) expect(await errorOf(request)).toMatchObject({ code: "logged_out" });
  expect([stored(wx), kicked]).toEqual([{ out: true }, []]);
  await until(() => proxy.to("/logout").some((one) => one.token !== token && one.status === 204));
});

test("the response of a binding that arrives after a logout is not stored", async () => {
  const { client, proxy, wx } = await newWorld(SHOP);
  await client.login();
  const slow = gate();
  proxy.fault({ path: "/phone", until: slow.promise });
  const binding = client.onPhone(await wx.tapPhone());
  await until(() => proxy.to("/phone").some((one) => one.status === 200));
  await client.logout();
  slow.open();
  expect(await errorOf(binding)).toMatchObject({ code: "logged_out" });
  expect(stored(wx)).toEqual({ out: true });
  await until(() => proxy.to("/logout").some((one) => one.status === 204));
});

test("a login that begins after a logout does not join the one before it", async () => {
  const { client, proxy, wx } = await newWorld();
  const slow = gate();
  proxy.fault({ path: "/login", until: slow.promise });
  const before = client.login();
  await until(() => proxy.to("/login").length === 1);
  await client.logout();
  const login = await client.login();
  const { token } = stored(wx);
  slow.open();
  expect(await errorOf(before)).toMatchObject({ code: "logged_out" });
  expect(stored(wx).token).toBe(token);
  expect(await client.me()).toEqual(login.user);
});

test("an operation that waits for its turn is not started after a logout", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  const slow = gate();
  proxy.fault({ path: "/login", until: slow.promise });
  const login = client.login({ fresh: true });
  const waiting = client.passwordLogin("bob", PASSWORD);
  await until(() => proxy.to("/login").length === 2);
  await client.logout();
  slow.open();
  expect(await errorOf(login)).toMatchObject({ code: "logged_out" });
  expect(await errorOf(waiting)).toMatchObject({ code: "logged_out" });
  expect([proxy.to("/password-login").length, stored(wx)]).toEqual([0, { out: true }]);
});

test("a logout without a network rejects, and the phone is logged out", async () => {
  const { client, wx } = await newWorld();
  await client.login();
  wx.online = false;
  expect(await errorOf(client.logout())).toMatchObject({ reason: "network" });
  expect([stored(wx), client.isLoggedOut()]).toEqual([{ out: true }, true]);
});

test("a logout of an expired or a revoked session, or without one, succeeds", async () => {
  const { client, wx } = await newWorld();
  await client.logout();
  for (const action of ["expire", "revoke"]) {
    await client.login();
    await change(action, stored(wx).token);
    await client.logout();
  }
  expect(wx.logins).toBe(2);
});

test("a logout everywhere ends the sessions of all devices", async () => {
  const { client, newClient, wx } = await newWorld(SHOP);
  const other = await newWorld(SHOP);
  await client.passwordLogin("bob", PASSWORD);
  await other.client.passwordLogin("bob", PASSWORD);
  await change("expire", stored(wx).token);
  await client.logout({ everywhere: true });
  expect(await errorOf(other.client.me())).toMatchObject({ reason: "revoked" });
  expect(other.kicked).toHaveLength(1);
  expect(await errorOf(newClient().me())).toMatchObject({ code: "logged_out" });
});

test("a user sees the sessions and ends one, or all others", async () => {
  const { client } = await newWorld(SHOP);
  const devices = [await newWorld(SHOP), await newWorld(SHOP)];
  await client.passwordLogin("alice", "alice-likes-green-tea");
  for (const device of devices) await device.client.passwordLogin("alice", "alice-likes-green-tea");
  const { items } = await client.sessions();
  expect(items.filter((session) => session.current)).toHaveLength(1);
  await client.endSession(items.filter((session) => !session.current)[0].id);
  await client.endOtherSessions();
  expect((await client.sessions()).items).toHaveLength(1);
  expect(await errorOf(devices[0].client.me())).toMatchObject({ reason: "revoked" });
});

test("pages of sessions follow the cursor", async () => {
  const { client } = await newWorld(SHOP);
  const other = await newWorld(SHOP);
  await client.passwordLogin("alice", "alice-likes-green-tea");
  await other.client.passwordLogin("alice", "alice-likes-green-tea");
  const first = await client.sessions({ limit: 1 });
  const second = await client.sessions({ limit: 1, cursor: first.next! });
  expect(second.items[0].id).not.toBe(first.items[0].id);
  await client.endOtherSessions();
  expect((await client.sessions()).next).toBe(null);
});
