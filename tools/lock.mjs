// Takes the addresses out of package-lock.json that npm leaves there: where to send money (npm itself keeps out where a
// package comes from, see .npmrc). Names, versions and hashes stay.
import { readFileSync, writeFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
for (const entry of Object.values(lock.packages)) delete entry.funding;
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
