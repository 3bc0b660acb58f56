import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "test/fakes/service.ts",
    include: ["test/*.test.{ts,mjs}"],
    testTimeout: 30000,
    hookTimeout: 150000,
    // All files use one service, whose mini-programs have limits.
    fileParallelism: false,
  },
});
