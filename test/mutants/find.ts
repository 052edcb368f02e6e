/** Prints which scenarios catch a mutant: `node --import tsx test/mutants/find.ts "part of its name"`, or all without one. See mutants.ts. */
import { Explore } from "effect-concurrency/testing"
import type { Explored, Library } from "../explore/scenario.js"
import { scenarios as shipped } from "../explore/scenarios.js"
import { load, unload } from "./load.js"
import { mutants } from "./mutants.js"
import { scenarios as own } from "./scenarios.js"

const [, , part = "", runs = "500"] = process.argv
const models = ["taskOrder", "elastic", "aggressive"] as const

const explore = ({ options, scenario }: Explored, library: Library, model: Explore.Model) =>
  Explore.report(scenario(library), { ...options, model, runs: Number(runs), time: 1000 })

// A bug may throw where nobody can catch it, in a listener of a signal: that is not how it is to be found.
process.on("uncaughtException", () => {})

const sound = await load()
/** Scenarios that find something in the library as it is. */
const broken = new Map<string, Promise<boolean>>()
const isBroken = (explored: Explored, model: Explore.Model): Promise<boolean> => {
  const key = `${explored.primitive} ${explored.name} ${model}`
  const found = broken.get(key) ?? explore(explored, sound, model).then(({ finding }) => finding !== undefined)
  broken.set(key, found)
  return found
}

for (const mutant of mutants.filter(({ name, primitive }) => `${name} ${primitive}`.includes(part))) {
  console.log(mutant.name)
  try {
    const library = await load(mutant)
    const lines: Array<readonly [order: number, text: string]> = []
    for (const [where, scenarios] of Object.entries({ explore: shipped, mutants: own })) {
      for (const explored of scenarios) {
        if (explored.primitive !== mutant.primitive) continue
        for (const [index, model] of (explored.models ?? models).entries()) {
          const { finding, schedules } = await explore(explored, library, model)
          if (finding === undefined || finding.kind === "nondeterminism" || (await isBroken(explored, model))) continue
          const text = `  ${schedules} schedules, ${model}, ${finding.kind}: "${explored.name}" (${where})`
          lines.push([schedules + index * 1e6, text])
          break
        }
      }
    }
    lines.sort(([a], [b]) => a - b)
    console.log(lines.map(([, line]) => line).join("\n") || "  is caught by nothing")
  } catch (error) {
    console.log(`  ${String(error)}`)
  }
}
unload()
