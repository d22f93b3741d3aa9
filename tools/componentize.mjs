// Turns a core module into a component: componentize.mjs core.wasm component.wasm [wit folder [preview 1 adapter]].
// With a WIT folder its world is embedded first; without, the module carries it already (wit-bindgen puts it there).
// With an adapter the module may import wasi_snapshot_preview1, as programs that are linked with wasi-libc do.
import { readFile, writeFile } from "node:fs/promises";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const [core, target, witPath, adapter] = process.argv.slice(2);
const module = await readFile(core);
const embedded = witPath ? await componentEmbed({ binary: module, witPath }) : module;
const adapters = adapter ? [["wasi_snapshot_preview1", await readFile(adapter)]] : [];
await writeFile(target, await componentNew(embedded, adapters));
