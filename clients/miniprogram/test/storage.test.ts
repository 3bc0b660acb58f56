import { expect, test } from "vitest";

import { change, newWorld, stored } from "./fakes/world";

test("a full storage does not disturb the running mini-program", async () => {
  const { client, wx } = await newWorld();
  wx.storageIsFull = true;
  await client.login();
  await client.me();
  expect([wx.logins, wx.storage.size]).toEqual([1, 0]);
});

test("a storage that fills up during a refresh leaves the new tokens in memory", async () => {
  const { client, newClient, wx } = await newWorld();
  await client.login();
  await change("expire", stored(wx).token);
  wx.storageIsFull = true;
  await client.me();
  await client.me();
  expect(wx.logins).toBe(1);
  wx.storageIsFull = false;
  // The next start finds the old tokens. The service repeats the response of the refresh.
  await newClient().me();
  expect(wx.logins).toBe(1);
});

test("a logout with a full storage logs the running mini-program out", async () => {
  const { client, wx } = await newWorld();
  await client.login();
  wx.storageIsFull = true;
  await client.logout();
  expect(client.isLoggedOut()).toBe(true);
});

test("a storage that cannot be read is no session", async () => {
  const { client, wx } = await newWorld();
  wx.getStorageSync = () => {
    throw new Error("getStorageSync:fail");
  };
  await client.login();
  await client.me();
  expect(wx.logins).toBe(1);
});

test.each(["", "{", "null", "[]", '{"token": 1}', "undefined", { token: "x" }, 7])(
  "a stored %j is no session",
  async (value) => {
    const { client, wx } = await newWorld();
    await client.login();
    wx.storage.set([...wx.storage.keys()][0], value);
    await client.me();
    expect(wx.logins).toBe(2);
  },
);

test("a cleared storage costs a login", async () => {
  const { client, wx } = await newWorld();
  const login = await client.login();
  wx.storage.clear();
  expect(await client.me()).toEqual(login.user);
});

test("two clients of one appid share the session and its renewal", async () => {
  const { client, newClient, proxy, wx } = await newWorld();
  const other = newClient();
  await client.login();
  await change("expire", stored(wx).token);
  await Promise.all([client.me(), other.me(), client.me(), other.me()]);
  const tokens = new Set(proxy.passed.filter((one) => one.status === 200).map((one) => one.token));
  expect([wx.logins, tokens.size <= 3]).toEqual([1, true]);
  await Promise.all([client.me(), other.me()]);
});
