// Turns an ES module into a component: componentize.mjs guest.js wit component.wasm. What the guest does not use of the
// engine's own WASI (fetch, clocks, random numbers) is left out, so that it imports what its world names, and stdio.
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, target] = process.argv.slice(2);
const disableFeatures = ["random", "clocks", "http", "fetch-event"];
const { component } = await componentize({ sourcePath, witPath, disableFeatures });
await writeFile(target, component);
