/**
 * `npm run build` copies Swagger UI to app/website; `npm run check` compares the copies with the
 * installed package.
 *
 * swagger-ui.json has the version and a digest of each file, with which a test finds out without
 * Node.js that a copy was changed.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const PACKAGE = fileURLToPath(new URL("node_modules/swagger-ui-dist/", import.meta.url));
const COPIES = fileURLToPath(new URL("../../app/website/static/swagger-ui/", import.meta.url));
const RECORD = fileURLToPath(new URL("swagger-ui.json", import.meta.url));
const FILES = ["LICENSE", "NOTICE", "swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css"];

/** Return the text of the record for the installed package. */
async function record() {
  const { version } = JSON.parse(await readFile(`${PACKAGE}package.json`, "utf8"));
  const files = {};
  for (const name of FILES) {
    files[name] = createHash("sha256").update(await readFile(PACKAGE + name)).digest("hex");
  }
  return `${JSON.stringify({ version, files }, null, 2)}\n`;
}

async function build() {
  await mkdir(COPIES, { recursive: true });
  for (const name of FILES) await writeFile(COPIES + name, await readFile(PACKAGE + name));
  await writeFile(RECORD, await record());
}

/** Return the names of the files that differ from the installed package. */
async function findDifferences() {
  const present = await readdir(COPIES).catch(() => []);
  const different = present.filter((name) => !FILES.includes(name));
  for (const name of FILES) {
    const copy = await readFile(COPIES + name).catch(() => Buffer.alloc(0));
    if (!copy.equals(await readFile(PACKAGE + name))) different.push(name);
  }
  if ((await readFile(RECORD, "utf8").catch(() => "")) !== (await record())) different.push("swagger-ui.json");
  return different;
}

if (process.argv[2] === "--check") {
  const different = await findDifferences();
  if (different.length) {
    console.error(`These files differ from swagger-ui-dist: ${different.join(", ")}; run: npm run build`);
    process.exit(1);
  }
} else {
  await build();
}
