/** Compiles the package in memory: file names below the package, and their contents. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { minify } from "terser";
import ts from "typescript";

const require = createRequire(import.meta.url);
export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const ES5 = { target: ts.ScriptTarget.ES5, module: ts.ModuleKind.ESNext, importHelpers: true };
const INDEX = `${ROOT}src/index.ts`;

/** Return the built files: for bundlers in dist/, and for WeChat's npm build in miniprogram_dist/. */
export async function builtFiles() {
  const files = {};
  const bundle = await rollup({ input: INDEX, plugins: [typescript()] });
  files["dist/index.mjs"] = await codeOf(bundle, { format: "es" });
  files["dist/index.js"] = await codeOf(bundle, { format: "cjs" });
  files["miniprogram_dist/index.js"] = await minified(files["dist/index.js"]);
  files["dist/index.d.ts"] = files["dist/index.d.mts"] = await declarations();
  files["miniprogram_dist/index.d.ts"] = files["dist/index.d.ts"];
  const component = await rollup({
    input: `${ROOT}component/phone_button.ts`,
    external: INDEX,
    plugins: [typescript()],
  });
  const code = await codeOf(component, { format: "cjs", paths: { [INDEX]: "../index.js" } });
  files["miniprogram_dist/phone-button/index.js"] = await minified(code);
  for (const kind of ["wxml", "json", "wxss"]) {
    const source = `${ROOT}component/static/index.${kind}`;
    files[`miniprogram_dist/phone-button/index.${kind}`] = await readFile(source, "utf8");
  }
  return files;
}

/** Return code with short names, still ES5. */
export async function minified(code) {
  const { code: short } = await minify(code, { ecma: 5, toplevel: true, compress: { passes: 3 }, mangle: true });
  return `${short}\n`;
}

async function codeOf(bundle, options) {
  const { output } = await bundle.generate({ strict: true, esModule: false, ...options });
  return output[0].code;
}

async function declarations() {
  const bundle = await rollup({ input: INDEX, plugins: [dts()] });
  return codeOf(bundle, { format: "es" });
}

/** A rollup plugin that compiles TypeScript to ES5 and finds its helper functions. */
function typescript() {
  return {
    name: "typescript",
    resolveId(source, importer) {
      if (source === "tslib") return require.resolve("tslib/tslib.es6.js");
      if (source.startsWith(".") && importer.endsWith(".ts")) {
        return fileURLToPath(new URL(`${source}.ts`, `file://${importer}`));
      }
      return null;
    },
    transform(code, id) {
      if (!id.endsWith(".ts")) return null;
      return ts.transpileModule(code, { compilerOptions: ES5, fileName: id }).outputText;
    },
  };
}
