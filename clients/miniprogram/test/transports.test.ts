import { expect, test, vi } from "vitest";

import { cloudTransport, createClient, taroTransport, uniTransport, wxTransport } from "../src/index";
import { CLUB, errorOf, newWorld, SHOP } from "./fakes/world";
import { FakeWx } from "./fakes/wx";

test("uni-app logs in with the provider weixin", async () => {
  const { newClient, wx } = await newWorld();
  const login = wx.login;
  wx.login = (options: any) => {
    if (options.provider === "weixin") login(options);
    else options.fail({ errMsg: "login:fail provider" });
  };
  expect(await newClient({ transport: uniTransport(wx) }).login()).toMatchObject({ bound: true });
});

test("promises that Taro rejects besides calling fail are handled", async () => {
  const { newClient, wx } = await newWorld();
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on("unhandledRejection", note);
  const asPromise = (call: (options: any) => any) => (options: any) => {
    let task: any;
    const promise = new Promise((resolve, reject) => {
      const success = (result: any) => (options.success(result), resolve(result));
      const fail = (failure: any) => (options.fail(failure), reject(failure));
      task = call({ ...options, success, fail });
    });
    return Object.assign(promise, task);
  };
  const taro = Object.create(wx);
  taro.login = asPromise(wx.login);
  taro.request = asPromise(wx.request);
  taro.checkSession = asPromise(wx.checkSession);
  const client = newClient({ transport: taroTransport(taro) });
  await client.login({ sessionKey: true });
  wx.online = wx.sessionKeyIsValid = false;
  expect(await errorOf(client.me())).toMatchObject({ reason: "network" });
  wx.loginFails = "login:fail";
  expect(await errorOf(client.login({ sessionKey: true }))).toMatchObject({ code: "wx_login_failed" });
  await new Promise((resolve) => setTimeout(resolve, 20));
  process.off("unhandledRejection", note);
  expect(unhandled).toEqual([]);
});

test("functions of the platform that never call back are given up after 10 seconds", async () => {
  vi.useFakeTimers();
  try {
    const silent = Object.assign(new FakeWx("", CLUB, "ann"), { login: () => undefined, checkSession: () => undefined });
    const transport = wxTransport(silent);
    const client = createClient({ baseUrl: "https://login.example.com", transport });
    const errors = [errorOf(client.login({ sessionKey: true })), errorOf(client.me())];
    await vi.advanceTimersByTimeAsync(30000);
    const [login, me] = await Promise.all(errors);
    expect(login).toMatchObject({ code: "wx_login_failed", message: "login:fail timeout" });
    expect(me).toMatchObject({ code: "wx_login_failed" });
  } finally {
    vi.useRealTimers();
  }
});

test("the cloud gateway gets the path, the environment and the service", async () => {
  const { baseUrl, newClient, wx } = await newWorld();
  const calls: any[] = [];
  const cloud = Object.assign(Object.create(wx), {
    cloud: {
      callContainer(options: any) {
        calls.push(options);
        void wx.request({ ...options, url: baseUrl + options.path });
        // The real function returns no task that could be aborted.
      },
    },
  });
  const transport = cloudTransport({ env: "prod-1", service: "wxpass" }, cloud);
  const client = newClient({ transport, baseUrl: "https://wxpass.invalid/prefix" });
  const before = wx.request;
  wx.request = (options: any) => before({ ...options, url: options.url.replace("/prefix", "") });
  await client.login();
  const call = client.me();
  call.abort();
  expect(await errorOf(call)).toMatchObject({ reason: "aborted" });
  expect(calls[0]).toMatchObject({
    config: { env: "prod-1" },
    path: `/prefix/v1/apps/${CLUB}/login`,
    method: "POST",
    header: { "X-WX-SERVICE": "wxpass", "content-type": "application/json" },
  });
});

test("without a transport, the client uses wx", async () => {
  const { baseUrl, wx } = await newWorld();
  (globalThis as any).wx = wx;
  try {
    const client = createClient({ baseUrl });
    expect([client.appid, (await client.login()).bound]).toEqual([CLUB, true]);
  } finally {
    delete (globalThis as any).wx;
  }
});

test("a platform without checkSession and getAccountInfoSync works with an appid", async () => {
  const { newClient, wx } = await newWorld(SHOP);
  const old: any = new FakeWx(wx.simulator, SHOP, wx.person);
  old.checkSession = old.getAccountInfoSync = undefined;
  const client = newClient({ transport: taroTransport(old), appid: SHOP });
  await client.login();
  await client.login({ sessionKey: true });
  expect(old.logins).toBe(1);
});
