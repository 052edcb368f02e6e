import { describe, expect, it } from "vitest"
import { budgets, bundle, describeBundle } from "./size.js"

describe("the facade, bundled", () => {
  it.each(budgets)("$names in under $limit bytes", async ({ limit, names }) => {
    const result = await bundle(names)
    expect(result.gzipped, describeBundle(result)).toBeLessThan(limit)
  })

  it.each(budgets)("$names without Effect", async ({ names }) => {
    const { imports, inputs } = await bundle(names)
    const foreign = inputs.filter(([file]) => !/^src\/(core|promise)\//.test(file))
    expect(foreign).toEqual([])
    expect(imports).toEqual([])
  })

  it("has what was asked for and nothing else", async () => {
    const { inputs } = await bundle(["Mutex"])
    expect(inputs.map(([file]) => file)).toContain("src/promise/Mutex.ts")
    expect(inputs.map(([file]) => file)).not.toContain("src/promise/WorkQueue.ts")
  })
})
