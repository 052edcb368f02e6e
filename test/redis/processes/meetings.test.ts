/** Events that several real processes wait for, and barriers at which they meet, and what can happen to a process. */
import { assert, beforeAll, it } from "@effect/vitest"
import { afterAll } from "vitest"
import { describeRedis } from "../../utils/redis.js"
import { meetingRuns } from "./meetings.js"
import { bundleOf, type Program } from "./program.js"

describeRedis("processes that meet on Redis", (redis) => {
  let program: Program
  beforeAll(() => {
    program = bundleOf("meeter")
  })
  afterAll(() => program.remove())

  it("a random run with kills and a stop: no wake-up is lost, nobody passes alone, nobody waits for ever", async () => {
    const prefix = `${redis.prefix}-meetings`
    const figures = await meetingRuns({ url: redis.url, prefix, program: program.file, runs: 1, lanes: 1, seed: 7 })
    assert.deepStrictEqual(figures.violations, [])
    assert.isAbove(figures.woken, 5)
    assert.isAbove(figures.passed + figures.broken, 0)
  }, 60_000)
})
