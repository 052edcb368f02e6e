/** Runs the tour: every other file in this folder, one after the other. */
import { readdirSync } from "node:fs"

const here = new URL("./", import.meta.url)
const files = readdirSync(here).filter((name) => name.endsWith(".ts") && name !== "run.ts" && name !== "show.ts")
for (const file of files.sort()) await import(new URL(file, here).href)
