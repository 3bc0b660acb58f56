import { expect, test } from "vitest";

import type { Client, WxpassError } from "../src/index";
import { change, CLUB, errorOf, gate, newWorld, SHOP, stored, until } from "./fakes/world";

const TWENTY = Array.from({ length: 20 });
const PASSWORD = "bob-likes-green-tea";

function reasonsOf(results: PromiseSettledResult<unknown>[]): Set<string> {
  return new Set(results.map((one) => (one.status === "rejected" ? one.reason.code : "resolved")));
}

/** Send 20 requests at the same time, and return how each ended. */
function twentyRequests(client: Client): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled(TWENTY.map(() => client.me()));
}

test("20 requests with an expired token share one refresh and are each repeated once", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["resolved"]));
  expect(proxy.to("/refresh")).toHaveLength(1);
  expect(proxy.to("/v1/me")).toHaveLength(40);
  expect([wx.logins, kicked]).toEqual([1, []]);
});

test("a refusal that arrives after the refresh is repeated with the new token, without a refresh", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  const late = gate();
  proxy.fault({ path: "/v1/me", until: late.promise });
  const slow = client.me();
  await until(() => proxy.to("/v1/me").length === 1);
  await client.me();
  late.open();
  await slow;
  expect(proxy.to("/refresh")).toHaveLength(1);
});

test("20 requests of a revoked session are rejected, and kicked is emitted once", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  await change("revoke", stored(wx).token);
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["session_revoked"]));
  expect(kicked).toMatchObject([{ reason: "revoked", code: "session_revoked" }]);
  expect([proxy.to("/refresh").length, wx.logins]).toEqual([0, 1]);
});

test("after kicked, requests are rejected until the next login", async () => {
  const { client, kicked, newClient, proxy, wx } = await newWorld();
  await client.login();
  await change("revoke", stored(wx).token);
  await errorOf(client.me());
  const sent = proxy.passed.length;
  expect(await errorOf(client.me())).toMatchObject({ code: "session_revoked" });
  expect(await errorOf(newClient().me())).toMatchObject({ code: "logged_out", reason: "ended" });
  expect([client.isLoggedOut(), proxy.passed.length]).toEqual([true, sent]);
  await client.login();
  await client.me();
  expect([client.isLoggedOut(), kicked.length]).toEqual([false, 1]);
});

test("a failed refresh of a password session rejects all requests and emits kicked once", async () => {
  const { client, kicked, proxy, wx } = await newWorld(SHOP);
  await client.passwordLogin("bob", PASSWORD);
  await change("expire-refresh", stored(wx).token);
  await change("expire", stored(wx).token);
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["refresh_token_expired"]));
  expect(kicked).toMatchObject([{ reason: "expired" }]);
  expect([proxy.to("/refresh").length, wx.logins]).toEqual([1, 0]);
});

test("a failed refresh of a WeChat session logs in silently and repeats the requests", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  await change("expire-refresh", stored(wx).token);
  await change("expire", stored(wx).token);
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["resolved"]));
  expect([proxy.to("/refresh").length, wx.logins, kicked]).toEqual([1, 2, []]);
});

test("a refresh that fails in a proxy rejects 20 requests, is not repeated, and keeps the session", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  const { refreshToken, token } = stored(wx);
  await change("expire", token);
  proxy.fault({ path: "/refresh", answer: { status: 502, body: "<html>" } });
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["http_502"]));
  expect([stored(wx).refreshToken, proxy.to("/refresh").length]).toEqual([refreshToken, 1]);
  await client.me();
  expect([proxy.to("/refresh").length, kicked]).toEqual([2, []]);
});

test("a lost response of a refresh is asked for again", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  proxy.fault({ path: "/refresh", loseResponse: true });
  await client.me();
  expect(proxy.to("/refresh").map((one) => one.status)).toEqual([200, 200]);
  expect(wx.logins).toBe(1);
});

test("an app that is ended between refresh and storing gets the same tokens again", async () => {
  const { client, newClient, proxy, wx } = await newWorld();
  await client.login();
  const before = [...wx.storage];
  await change("expire", stored(wx).token);
  await client.me();
  const after = stored(wx);
  wx.storage.set(before[0][0], before[0][1]);
  await newClient().me();
  expect(stored(wx)).toEqual(after);
  expect(proxy.to("/refresh").map((one) => one.status)).toEqual([200, 200]);
});

test("a reused refresh token after 31 seconds ends in a silent login of the same person", async () => {
  const { client, kicked, newClient, proxy, wx } = await newWorld();
  const login = await client.login();
  const before = [...wx.storage];
  await change("expire", stored(wx).token);
  await client.me();
  await change("age-refresh", stored(wx).token);
  wx.storage.set(before[0][0], before[0][1]);
  expect(await newClient().me()).toEqual(login.user);
  expect(proxy.to("/refresh").map((one) => one.status)).toEqual([200, 401]);
  expect([wx.logins, kicked]).toEqual([2, []]);
});

test("a reused refresh token of a password session is kicked as replaced", async () => {
  const { newClient, wx } = await newWorld(SHOP);
  const client = newClient();
  const kicked: WxpassError[] = [];
  client.on("kicked", (error) => kicked.push(error));
  await client.passwordLogin("bob", PASSWORD);
  const before = [...wx.storage];
  await change("expire", stored(wx).token);
  await client.me();
  await change("age-refresh", stored(wx).token);
  wx.storage.set(before[0][0], before[0][1]);
  expect(await errorOf(client.me())).toMatchObject({ code: "refresh_token_reused", reason: "replaced" });
  expect(kicked).toHaveLength(1);
});

test("a request that is refused again is not repeated a second time", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  const answer = { status: 401, body: JSON.stringify({ code: "session_expired" }) };
  proxy.fault({ path: "/v1/me", times: 100, answer });
  expect(await errorOf(client.me())).toMatchObject({ code: "session_expired", reason: "expired" });
  expect([proxy.to("/v1/me").length, proxy.to("/refresh").length]).toEqual([2, 1]);
});

test("a 401 without a code, as a proxy sends it, renews the session", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: { status: 401, body: "<html>401</html>" } });
  await client.me();
  expect(proxy.to("/refresh")).toHaveLength(1);
});

test("a wrong password is not mistaken for a lost session", async () => {
  const { client, proxy } = await newWorld();
  await client.login();
  const error = await errorOf(client.bindAccount("alice", "wrong-password"));
  expect(error).toMatchObject({ code: "credentials_wrong", status: 401 });
  expect(proxy.to("/refresh")).toHaveLength(0);
  await client.me();
});

test("a disabled user is kicked once, and later requests say disabled", async () => {
  const { client, kicked, wx } = await newWorld();
  await client.login();
  await change("disable", stored(wx).token);
  expect(reasonsOf(await twentyRequests(client))).toEqual(new Set(["user_disabled"]));
  expect(kicked).toMatchObject([{ reason: "disabled" }]);
  expect(await errorOf(client.me())).toMatchObject({ reason: "disabled" });
});

test("an expired unbound session logs in again, because it has no refresh token", async () => {
  const { client, proxy, wx } = await newWorld(SHOP);
  await client.login();
  await change("expire", stored(wx).token);
  expect(await errorOf(client.me())).toMatchObject({ reason: "unbound" });
  expect([wx.logins, proxy.to("/refresh").length]).toEqual([2, 0]);
});

test("a request is not repeated as another user", async () => {
  const { client, logins, proxy, wx } = await newWorld();
  await client.login();
  await change("expire-refresh", stored(wx).token);
  await change("expire", stored(wx).token);
  wx.person = (await newWorld()).person.name;
  const post = { url: "/v1/me/password", method: "POST" as const, data: { old_password: "x", new_password: "yyyyyyyy" } };
  expect(await errorOf(client.request(post))).toMatchObject({ code: "user_changed", reason: "changed" });
  expect(proxy.to("/v1/me/password")).toHaveLength(1);
  expect(logins[1].user!.id).not.toBe(logins[0].user!.id);
});

test("a request that was sent before another user's login is not repeated as that user", async () => {
  const { client, kicked, proxy, wx } = await newWorld(SHOP);
  await client.passwordLogin("bob", PASSWORD);
  const late = gate();
  proxy.fault({ path: "/profile", answer: { status: 401, body: '{"code":"session_ended"}' }, until: late.promise });
  const slow = client.onProfile({ nickname: "Bob" });
  await until(() => proxy.to("/profile").length === 1);
  await client.passwordLogin("alice", "alice-likes-green-tea");
  const { token } = stored(wx);
  late.open();
  expect(await errorOf(slow)).toMatchObject({ code: "user_changed", reason: "changed" });
  expect([proxy.to("/profile").length, stored(wx).token, kicked]).toEqual([1, token, []]);
});

test("a late refusal of a previous token does not keep the current one from being renewed", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  const late = gate();
  proxy.fault({ path: "/me", until: late.promise, answer: { status: 401, body: '{"code":"session_expired"}' } });
  const previous = client.me().then(null, () => undefined);
  await until(() => proxy.to("/me").length === 1);
  await client.login({ fresh: true });
  await change("expire", stored(wx).token);
  const busy = gate();
  proxy.fault({ path: "/password-login", until: busy.promise });
  const queued = errorOf(client.passwordLogin("bob", "wrong-password"));
  late.open();
  await until(() => proxy.to("/me")[0].status === 401);
  const current = client.me();
  await until(() => proxy.to("/me").filter((one) => one.status === 401).length === 2);
  busy.open();
  await queued;
  expect((await current).id).toBeTruthy();
  await previous;
});

test("the token of another appid in the storage is replaced by a login", async () => {
  const { client, newClient, wx } = await newWorld(CLUB);
  const foreign = await newWorld(SHOP);
  await client.login();
  await foreign.client.login();
  const key = [...wx.storage.keys()][0];
  wx.storage.set(key, [...foreign.wx.storage.values()][0]);
  const other = newClient();
  await other.onProfile({ nickname: "Ann" });
  expect(wx.logins).toBe(2);
  expect(stored(wx).userId).toBeTruthy();
});

test("a phone whose clock is a day off keeps its session", async () => {
  const { client, proxy, wx } = await newWorld();
  await client.login();
  const now = Date.now;
  for (const offset of [86400e3, -86400e3]) {
    Date.now = () => now() + offset;
    try {
      await client.me();
    } finally {
      Date.now = now;
    }
  }
  expect([wx.logins, proxy.to("/refresh").length]).toEqual([1, 0]);
});

test("a session that is revoked between refresh and repetition is kicked", async () => {
  const { client, kicked, proxy, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  proxy.fault({ path: "/v1/me" });
  proxy.fault({ path: "/v1/me", answer: { status: 401, body: JSON.stringify({ code: "session_revoked" }) } });
  expect(await errorOf(client.me())).toMatchObject({ reason: "revoked" });
  expect([kicked.length, client.isLoggedOut()]).toEqual([1, true]);
});

test("a renewal that ends in the login of a disabled user is kicked", async () => {
  const { client, kicked, proxy } = await newWorld();
  await client.login();
  proxy.fault({ path: "/v1/me", answer: { status: 401, body: JSON.stringify({ code: "session_expired" }) } });
  proxy.fault({ path: "/refresh", answer: { status: 401, body: JSON.stringify({ code: "refresh_token_expired" }) } });
  proxy.fault({ path: "/login", answer: { status: 403, body: JSON.stringify({ code: "user_disabled" }) } });
  expect(await errorOf(client.me())).toMatchObject({ reason: "disabled" });
  expect(kicked).toMatchObject([{ reason: "disabled" }]);
});
