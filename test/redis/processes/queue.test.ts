/** A queue that several real processes share, and what can happen to a process. */
import { assert, beforeAll, it } from "@effect/vitest"
import { afterAll } from "vitest"
import { RedisDeliveries } from "../../../src/redis/deliveries.js"
import { describeRedis } from "../../utils/redis.js"
import { bundleOf, type Program, sleep } from "./program.js"
import { Consumer, type ConsumerNews, randomQueueRuns } from "./queue.js"

describeRedis("processes that share a queue on Redis", (redis) => {
  let program: Program
  beforeAll(() => {
    program = bundleOf("consumer")
  })
  afterAll(() => program.remove())

  const begun = (lease: number) => {
    const prefix = `${redis.prefix}-${lease}`
    const news: Array<ConsumerNews> = []
    const one = new Consumer(program.file, { url: redis.url, prefix, lease, poll: 100 }, (each) => news.push(each))
    redis.onClose(() => void one.kill())
    const store = new RedisDeliveries(redis.connect({ prefix }))
    const heard = async (kind: ConsumerNews["kind"]) => {
      while (!news.some((each) => each.kind === kind)) await sleep(5)
    }
    return { one, store, heard }
  }
  const work = { kind: "run", name: "q", items: ["a"], concurrency: 1, hold: 60_000, fails: 0, blocks: 0 } as const
  const exchange = { name: "q", settle: [], renew: [], lease: 10_000, attempts: 5, remember: 0 }

  it("SIGKILL of a consumer: its item comes back when its lease ends, and an attempt has failed", async () => {
    const { heard, one, store } = begun(400)
    await one.tell(work)
    await heard("began")
    // It is renewed: while its consumer lives, nobody else gets it.
    await sleep(600)
    assert.deepEqual((await store.exchange({ ...exchange, take: ["x"] })).taken, [])
    await one.kill()
    const at = performance.now()
    let taken: ReadonlyArray<{ readonly id: string; readonly attempt: number }> = []
    while (taken.length === 0) {
      await sleep(5)
      taken = (await store.exchange({ ...exchange, take: ["x"] })).taken
    }
    assert.deepInclude(taken[0], { id: "a", attempt: 2 })
    assert.isBelow(performance.now() - at, 400 + 2000)
  })

  it("SIGSTOP of a consumer beyond its lease: somebody else has the item, and what it says when it goes on is refused", async () => {
    const { heard, one, store } = begun(300)
    await one.tell({ ...work, hold: 800 })
    await heard("began")
    one.stop()
    await sleep(500)
    const { taken } = await store.exchange({ ...exchange, take: ["x"] })
    assert.deepInclude(taken[0], { id: "a", attempt: 2 })
    one.continue()
    await sleep(900)
    assert.deepInclude(await store.counts("q"), { leased: 1, ready: 0, delayed: 0 })
    const { settled } = await store.exchange({
      ...exchange,
      take: [],
      settle: [{ delivery: "x", outcome: { kind: "acknowledge" } }]
    })
    assert.deepEqual(settled, ["settled"])
  })

  it("random runs with kills, stops and broken connections: no item is lost, all are done, first deliveries in order", async () => {
    const figures = await randomQueueRuns({
      url: redis.url,
      prefix: `${redis.prefix}-random`,
      program: program.file,
      runs: 4,
      processes: 3,
      items: 25
    })
    assert.deepEqual(figures.violations, [])
    assert.isAtLeast(figures.offered, 4 * 3 * 25)
    assert.isAtLeast(figures.delivered, figures.offered)
  }, 60_000)
})
