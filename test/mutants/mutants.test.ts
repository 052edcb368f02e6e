import { Explore } from "effect-concurrency/testing"
import { afterAll, describe, expect, it } from "vitest"
import type { Explored, Library } from "../explore/scenario.js"
import { scenarios as shipped } from "../explore/scenarios.js"
import { load, patched, unload } from "./load.js"
import { type Mutant, mutants } from "./mutants.js"
import { scenarios as own } from "./scenarios.js"

afterAll(unload)

const scenarioOf = ({ caughtBy, primitive }: Mutant): Explored => {
  const found = [...shipped, ...own].find((explored) => explored.name === caughtBy && explored.primitive === primitive)
  if (found === undefined) {
    throw new Error(
      `no scenario about ${primitive} is named ${JSON.stringify(caughtBy)}: ask test/mutants/find.ts which catch it`
    )
  }
  return found
}

const explore = ({ options, scenario }: Explored, library: Library, model: Explore.Model, runs: number) =>
  Explore.report(scenario(library), { ...options, model, runs, time: 5_000 })

/** The library as it is. */
const sound = load()

describe("the explorer", () => {
  it.each(mutants.map((mutant) => [mutant.name, mutant] as const))("catches %s", async (name, mutant) => {
    const { model = "taskOrder" } = mutant
    const explored = scenarioOf(mutant)
    const { finding, schedules } = await explore(explored, await load(mutant), model, 5_000)
    if (finding === undefined) throw new Error(`${schedules} schedules of "${explored.name}" (${model}) do not show it`)
    expect(finding.kind).not.toBe("nondeterminism")
    console.log(`${name}: a ${finding.kind} in ${model}, at schedule ${schedules} of "${explored.name}"`)

    // What finds something in the library as it is would catch every bug.
    const control = await explore(explored, await sound, model, 20 + 2 * schedules)
    if (control.finding !== undefined) throw control.finding
  })
})

describe("the mutants", () => {
  it("are of each primitive", () => {
    const primitives = new Set(shipped.map(({ primitive }) => primitive))
    expect([...primitives].filter((name) => !mutants.some(({ primitive }) => primitive === name))).toEqual([])
  })

  it("have names of their own", () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })

  it("need no scenario that catches none", () => {
    expect(own.map(({ name }) => name).filter((name) => !mutants.some(({ caughtBy }) => caughtBy === name))).toEqual([])
  })

  it("are refused when their source has moved on", () => {
    const file = "src/core/mutex.ts"
    expect(() => patched({ file, find: "not there", replace: "" })).toThrow(`${file} has moved on`)
    expect(() => patched({ file, find: "export", replace: "" })).toThrow(/contains what the mutant replaces \d times/)
  })
})
