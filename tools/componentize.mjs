// Turns a core module into a component: componentize.mjs core.wasm component.wasm [wit folder].
// With a WIT folder its world is embedded first; without, the module carries it already (wit-bindgen puts it there).
import { readFile, writeFile } from "node:fs/promises";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const [core, target, witPath] = process.argv.slice(2);
const module = await readFile(core);
const embedded = witPath ? await componentEmbed({ binary: module, witPath }) : module;
await writeFile(target, await componentNew(embedded));
