/** Starts the service and the simulator once for all tests. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";

const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const PYTHON = process.env.PYTHON || `${ROOT}.venv/bin/python`;

declare module "vitest" {
  interface ProvidedContext {
    addresses: Addresses;
  }
}

/** The addresses that tests/clients/service.py prints. */
export interface Addresses {
  service: string;
  simulator: string;
  control: string;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const service = spawn(PYTHON, ["-m", "tests.clients.service"], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(service, "exit");
  const [line] = await Promise.race([
    once(createInterface(service.stdout), "line"),
    ended.then(([code]) => Promise.reject(new Error(`the service ended with code ${code}`))),
  ]);
  project.provide("addresses", JSON.parse(line));
  return async () => {
    service.stdin.end();
    await ended;
  };
}
