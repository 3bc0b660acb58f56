/** The parts of a test: a person with a phone, a proxy, and a client. */

import { randomInt } from "node:crypto";

import { afterEach, inject } from "vitest";

import { ClientOptions, createClient, Login, WxpassError, wxTransport } from "../../src/index";
import { Proxy } from "./proxy";
import { FakeWx, simulate } from "./wx";

/** A mini-program whose people become users by phone, and one where a login is enough. */
export const SHOP = "wxaaaa000000000001";
export const CLUB = "wxaaaa000000000002";

const proxies: Proxy[] = [];

afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.stop();
});

/** Return a new person's phone number and name, known to the simulator. */
export async function newPerson(): Promise<{ name: string; phone: string }> {
  const number = String(randomInt(1e8)).padStart(8, "0");
  const person = { name: `person${number}`, phone: `139${number}` };
  await simulate(inject("addresses").simulator, "people", person);
  return person;
}

/** Everything that a test of one client needs. */
export async function newWorld(appid = CLUB, options: Partial<ClientOptions> = {}) {
  const { service, simulator } = inject("addresses");
  const person = await newPerson();
  const proxy = new Proxy(service);
  proxies.push(proxy);
  const baseUrl = await proxy.start();
  const wx = new FakeWx(simulator, appid, person.name);
  const newClient = (more: Partial<ClientOptions> = {}) =>
    createClient({ baseUrl, transport: wxTransport(wx), ...options, ...more });
  const client = newClient();
  const kicked: WxpassError[] = [];
  const logins: Login[] = [];
  client.on("kicked", (error) => kicked.push(error));
  client.on("login", (login) => logins.push(login));
  return { baseUrl, client, kicked, logins, newClient, person, proxy, wx };
}

/** Return the session that a phone has stored. */
export function stored(wx: FakeWx): any {
  return JSON.parse([...wx.storage.values()][0]);
}

/** Change the session of a token, as time or an administrator would. */
export async function change(action: string, token: string): Promise<void> {
  const url = `${inject("addresses").control}/${action}`;
  const response = await fetch(url, { method: "POST", body: JSON.stringify({ token }) });
  if (response.status !== 204) throw new Error(`${action}: ${response.status}`);
}

/** Return the error of a promise that must reject. */
export async function errorOf(promise: Promise<unknown>): Promise<WxpassError> {
  const value = await promise.then(
    () => null,
    (error) => error,
  );
  if (!value) throw new Error("the promise was resolved");
  return value;
}

/** Return a promise and the function that resolves it. */
export function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => undefined as void;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

/** Wait until a condition holds. */
export async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10000; !condition(); ) {
    if (Date.now() > end) throw new Error("the condition did not hold within 10 s");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
