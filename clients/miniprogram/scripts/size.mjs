/** Fails if the package is larger than its limit, is not ES5, or needs another package. */

import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { parse } from "acorn";

import { ROOT, minified } from "./bundle.mjs";

const LIMIT = 6000;
const FILES = ["dist/index.mjs", "dist/index.js", "miniprogram_dist/index.js"];

for (const name of [...FILES, "miniprogram_dist/phone-button/index.js"]) {
  const code = await readFile(ROOT + name, "utf8");
  parse(code.replace(/^export \{.*\};$/m, ""), { ecmaVersion: 5 });
  const short = name.startsWith("miniprogram_dist") ? code : await minified(code);
  const size = gzipSync(short, { level: 9 }).length;
  console.log(`${name}: ${size} of ${LIMIT} bytes compressed`);
  if (size > LIMIT) process.exitCode = 1;
}
const { dependencies = {} } = JSON.parse(await readFile(`${ROOT}package.json`, "utf8"));
if (Object.keys(dependencies).length) process.exitCode = 1;
