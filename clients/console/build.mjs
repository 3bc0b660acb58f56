/**
 * `npm run build` writes the style sheets, scripts and icons of the console; `npm run check` compares
 * them with the sources.
 *
 * Each file name contains a digest of the contents. manifest.json maps the plain names to them.
 */

import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { build, transform } from "esbuild";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";

import { KEPT, REMOVED } from "./purge.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const BUILT = path("../../app/admin/console/static/");
const CONSOLE = path("../../app/admin/console/");
const SOURCES = path("src/");
const PACKAGES = path("node_modules/");
const TARGET = ["es2020", "chrome90", "firefox90", "safari15"];
const LICENCES = {
  "Tabler": "@tabler/icons/LICENSE",
  "htmx": "htmx.org/LICENSE",
  "uPlot": "uplot/LICENSE",
};

/** Return the paths of the files below a folder with one of the extensions. */
async function files(folder, ...extensions) {
  const names = await readdir(folder, { recursive: true });
  const wanted = names.filter((name) => extensions.some((one) => name.endsWith(one)));
  return wanted.sort().map((name) => folder + name);
}

async function script(name) {
  const options = { entryPoints: [SOURCES + name], bundle: true, minify: true, write: false };
  const { outputFiles } = await build({ ...options, format: "iife", target: TARGET, legalComments: "none" });
  return outputFiles[0].text;
}

async function minified(css) {
  const { code } = await transform(css, { loader: "css", minify: true, target: TARGET });
  return code;
}

/** Return Tabler's rules that the console uses, followed by the console's own rules. */
async function styleSheet() {
  const tabler = await readFile(`${PACKAGES}@tabler/core/dist/css/tabler.css`, "utf8");
  const own = await readFile(`${SOURCES}console.css`, "utf8");
  const content = [...(await files(`${CONSOLE}templates/`, ".html")), ...(await files(SOURCES, ".js"))];
  const raw = tabler.replaceAll(/\/\*[^]*?\*\//g, "");
  const [{ css }] = await new PurgeCSS().purge({
    content,
    css: [{ raw }],
    safelist: { greedy: KEPT },
    blocklist: REMOVED,
    keyframes: true,
    fontFace: true,
  });
  return minified(withSystemTheme(`${css}\n${own}`));
}

/** Copy each rule of the dark theme into a media query, for pages that follow the system's theme. */
function withSystemTheme(css) {
  const root = postcss.parse(css);
  root.walkRules((rule) => {
    const dark = rule.selectors.filter((one) => one.includes("[data-bs-theme=dark]"));
    if (!dark.length) return;
    const copy = rule.clone();
    copy.selectors = dark.map((one) => one.replaceAll("[data-bs-theme=dark]", "[data-bs-theme=system]"));
    rule.after(postcss.atRule({ name: "media", params: "(prefers-color-scheme: dark)", nodes: [copy] }));
  });
  return root.toString();
}

/** Return an SVG sprite with the icons that templates and views name. */
async function sprite() {
  const names = new Set();
  for (const file of await files(CONSOLE, ".html", ".py")) {
    const text = await readFile(file, "utf8");
    for (const [, name] of text.matchAll(/\bicon(?:=|\()"([a-z0-9-]+)"/g)) names.add(name);
  }
  const symbols = [];
  for (const name of [...names].sort()) {
    const svg = await readFile(`${PACKAGES}@tabler/icons/icons/outline/${name}.svg`, "utf8");
    const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
    symbols.push(`<symbol id="${name}" viewBox="0 0 24 24">${shapes.replaceAll(/\s*\n\s*/g, "")}</symbol>`);
  }
  return `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("\n")}</svg>\n`;
}

async function licences() {
  const texts = Object.entries(LICENCES).map(async ([name, file]) => {
    return `${name}\n\n${(await readFile(PACKAGES + file, "utf8")).trim()}\n`;
  });
  return (await Promise.all(texts)).join("\n----\n\n");
}

/** Return the contents of all files by name, with the manifest. */
async function built() {
  const contents = {
    "charts.css": await minified(await readFile(`${PACKAGES}uplot/dist/uPlot.min.css`, "utf8")),
    "charts.js": await script("charts.js"),
    "console.css": await styleSheet(),
    "console.js": await script("console.js"),
    "icon.svg": await readFile(`${SOURCES}icon.svg`, "utf8"),
    "icons.svg": await sprite(),
  };
  const manifest = {};
  const output = { "LICENSES.txt": await licences() };
  for (const [name, content] of Object.entries(contents)) {
    const digest = createHash("sha256").update(content).digest("hex").slice(0, 16);
    manifest[name] = name.replace(".", `-${digest}.`);
    output[manifest[name]] = content;
  }
  return { ...output, "manifest.json": `${JSON.stringify(manifest, null, 2)}\n` };
}

const output = await built();
const present = await readdir(BUILT).catch(() => []);
if (process.argv[2] === "--check") {
  const different = present.filter((name) => !(name in output));
  for (const [name, content] of Object.entries(output)) {
    if ((await readFile(BUILT + name, "utf8").catch(() => "")) !== content) different.push(name);
  }
  if (different.length) {
    console.error(`These files of app/admin/console/static are not current: ${different.join(", ")}; run: make console`);
    process.exit(1);
  }
} else {
  await mkdir(BUILT, { recursive: true });
  for (const name of present) if (!(name in output)) await rm(BUILT + name);
  for (const [name, content] of Object.entries(output)) await writeFile(BUILT + name, content);
}
