import { expect, test } from "vitest";

import { newWorld } from "./fakes/world";

test("a listener that is removed is not called", async () => {
  const { client, logins } = await newWorld();
  let calls = 0;
  const remove = client.on("login", () => calls++);
  await client.login();
  remove();
  remove();
  await client.login({ fresh: true });
  expect([calls, logins.length]).toEqual([1, 2]);
});

test("an error of a listener does not fail the login, and reaches the platform", async () => {
  const { client, logins } = await newWorld();
  const errors: unknown[] = [];
  const before = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => errors.push(error));
  try {
    client.on("login", () => {
      throw new Error("in a listener");
    });
    client.on("login", () => logins.push({ bound: false, user: null }));
    await client.login();
    await new Promise((resolve) => setTimeout(resolve, 20));
  } finally {
    process.removeAllListeners("uncaughtException");
    for (const listener of before) process.on("uncaughtException", listener);
  }
  expect(errors).toMatchObject([{ message: "in a listener" }]);
  expect(logins).toHaveLength(2);
});
