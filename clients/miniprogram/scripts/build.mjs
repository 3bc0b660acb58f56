/** `npm run build` writes the built files; `npm run check:build` compares them with the sources. */

import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { ROOT, builtFiles } from "./bundle.mjs";

const FOLDERS = ["dist", "miniprogram_dist"];

async function write(files) {
  for (const folder of FOLDERS) await rm(ROOT + folder, { recursive: true, force: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(ROOT + name), { recursive: true });
    await writeFile(ROOT + name, text);
  }
}

/** Return the names of files that are missing, different or left over. */
async function outdated(files) {
  const names = new Set(Object.keys(files));
  for (const folder of FOLDERS) {
    const entries = await readdir(ROOT + folder, { recursive: true, withFileTypes: true });
    for (const entry of entries) {
      if (entry.isFile()) names.add(`${entry.parentPath}/${entry.name}`.slice(ROOT.length));
    }
  }
  const checks = [...names].map(async (name) => {
    const text = await readFile(ROOT + name, "utf8").catch(() => null);
    return text === files[name] ? null : name;
  });
  return (await Promise.all(checks)).filter((name) => name);
}

const files = await builtFiles();
if (process.argv[2] === "--check") {
  const names = await outdated(files);
  if (names.length) {
    console.error(`Not current; run: npm run build\n  ${names.join("\n  ")}`);
    process.exit(1);
  }
} else {
  await write(files);
}
