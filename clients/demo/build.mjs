/**
 * `npm run build` writes the script of the page; `npm run check` compares it with the sources.
 *
 * The first line of the script has a digest of the sources, with which a test finds out without
 * Node.js that the script is not current.
 */

import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { rollup } from "rollup";
import ts from "typescript";

const ROOT = fileURLToPath(new URL(".", import.meta.url));
const CLIENT = fileURLToPath(new URL("../miniprogram/dist/index.mjs", import.meta.url));
const BUILT = fileURLToPath(new URL("../../app/simulator/demo/static/demo.js", import.meta.url));
const MODERN = { target: ts.ScriptTarget.ES2020, module: ts.ModuleKind.ESNext };

/** Return the digest of the sources: their paths and contents, and the client package. */
async function digestOfSources() {
  const names = (await readdir(`${ROOT}src`, { recursive: true })).filter((name) => name.endsWith(".ts"));
  const hash = createHash("sha256");
  for (const name of names.sort()) hash.update(`${name}\n${await readFile(`${ROOT}src/${name}`, "utf8")}\n`);
  return hash.update(await readFile(CLIENT, "utf8")).digest("hex");
}

/** A rollup plugin that compiles TypeScript and finds the client package. */
const typescript = {
  name: "typescript",
  resolveId(source, importer) {
    if (source === "@wxpass/miniprogram") return CLIENT;
    if (source.startsWith(".") && importer) return fileURLToPath(new URL(`${source}.ts`, `file://${importer}`));
    return null;
  },
  transform(code, id) {
    if (!id.endsWith(".ts")) return null;
    return ts.transpileModule(code, { compilerOptions: MODERN, fileName: id }).outputText;
  },
};

async function built() {
  const bundle = await rollup({ input: `${ROOT}src/main.ts`, plugins: [typescript] });
  const { output } = await bundle.generate({ format: "iife", strict: true });
  return `// Built from clients/demo by npm run build. Sources: ${await digestOfSources()}\n${output[0].code}`;
}

const code = await built();
if (process.argv[2] === "--check") {
  if ((await readFile(BUILT, "utf8").catch(() => "")) !== code) {
    console.error("app/simulator/demo/static/demo.js is not current; run: npm run build");
    process.exit(1);
  }
} else {
  await writeFile(BUILT, code);
}
