/** Locks and permits that several real processes contend for, and what can happen to a process. */
import { assert, beforeAll, it } from "@effect/vitest"
import { afterAll, afterEach, beforeEach } from "vitest"
import { RedisLeases } from "../../../src/redis/leases.js"
import { describeRedis } from "../../utils/redis.js"
import { promise } from "../../laws/leaseSkins.js"
import { type Command, Contender, Resource } from "./harness.js"
import { bundleOf, type Program, sleep } from "./program.js"
import { randomRuns } from "./random.js"

type Told = Omit<Command, "kind" | "id">

describeRedis("processes that contend for permits on Redis", (redis) => {
  let program: Program
  let prefix = ""
  let prefixes = 0
  let resource: Resource
  let contenders: Array<Contender> = []

  beforeAll(() => {
    program = bundleOf("contender")
  })
  afterAll(() => program.remove())
  beforeEach(() => {
    prefix = `${redis.prefix}-processes-${prefixes++}`
    resource = new Resource((name) => (name === "three" ? 3 : 1))
  })
  afterEach(async () => {
    for (const contender of contenders) if (!contender.isDead) await contender.kill()
    contenders = []
  })

  const contend = async (count: number, offsets: ReadonlyArray<number> = []): Promise<Array<Contender>> => {
    contenders = Array.from(
      { length: count },
      (_, i) => new Contender(program.file, { url: redis.url, prefix, offset: offsets[i] ?? 0 }, resource)
    )
    await Promise.all(contenders.map(({ ready }) => ready))
    return contenders
  }

  const section = (hold: number, rest: Partial<Told> = {}): Told => ({
    what: "section",
    name: "a",
    limit: 1,
    lease: 400,
    hold,
    ...rest
  })

  /** Until somebody, or one in particular, has entered. */
  const entered = (who?: Contender): Promise<number> =>
    new Promise((resolve) => {
      resource.onEnter = (contender, token) => {
        if (who === undefined || contender === who) resolve(token)
      }
    })

  /** All permits can be had. */
  const isWhole = async (name: string, limit: number) => {
    const driver = promise.open(new RedisLeases(redis.connect({ prefix })), limit, {
      prefix: limit === 1 ? "mutex" : "semaphore"
    })
    const taken = driver.acquire(name, limit)
    for (let i = 0; i < 300 && taken.state === "waiting"; i++) await sleep(10)
    assert.strictEqual(taken.state, "done", "permits were lost")
    const released = taken.value.release()
    for (let i = 0; i < 300 && released.state === "waiting"; i++) await sleep(5)
    assert.strictEqual(released.state, "done")
  }

  it("one at a time, in all of them together; tokens grow; nobody is refused", async () => {
    const all = await contend(4)
    const answers = await Promise.all(
      all.flatMap((one) => [1, 2, 3, 4, 5].map(() => one.tell(section(5, { lease: 10_000 }))))
    )
    assert.deepStrictEqual(
      answers.map(({ error }) => error).filter((error) => error !== undefined),
      []
    )
    assert.deepStrictEqual(resource.violations(), [])
    assert.deepStrictEqual(resource.overlaps, [])
    assert.deepStrictEqual(resource.refusals, [])
    const tokens = resource.tokens.get("a")!
    assert.strictEqual(tokens.length, 20)
    assert.deepStrictEqual(
      tokens,
      tokens.toSorted((a, b) => a - b)
    )
    await isWhole("a", 1)
  })

  it("SIGKILL of a holder: nobody has it before its lease ends, and then the next one does", async () => {
    const [one, other] = (await contend(2)) as [Contender, Contender]
    const lease = 600
    const first = entered(one)
    const killed = one.tell(section(60_000, { lease }))
    const token = await first
    await sleep(300)
    const second = entered(other)
    const waits = other.tell(section(1, { lease }))
    await one.kill()
    const at = performance.now()
    assert.strictEqual((await killed).error!.tag, "Dead")
    assert.isAbove(await second, token)
    // It was renewed when a third had passed, at the latest.
    const took = performance.now() - at
    assert.isAbove(took, lease / 4)
    assert.isBelow(took, lease + 2000)
    assert.isUndefined((await waits).error)
    await isWhole("a", 1)
  })

  it("SIGKILL of holders of permits: they come back", async () => {
    const all = await contend(2)
    const tokens = await Promise.all(
      all.map((one) => one.tell({ ...section(0), what: "acquire", name: "three", limit: 3, lease: 300 }))
    )
    assert.isTrue(tokens.every(({ error }) => error === undefined))
    for (const one of all) await one.kill()
    await isWhole("three", 3)
  })

  it("SIGSTOP of a holder beyond its lease: its stale token is refused, and when it goes on it is told LeaseLost", async () => {
    const [one, other] = (await contend(2)) as [Contender, Contender]
    const first = entered(one)
    const stopped = one.tell(section(60_000, { lease: 300 }))
    const token = await first
    one.stop()
    const second = entered(other)
    const waits = other.tell(section(100, { lease: 5000 }))
    const later = await second
    assert.isAbove(later, token)
    one.continue()
    const { error } = await stopped
    assert.strictEqual(error!.tag, "LeaseLost")
    assert.isUndefined((await waits).error)
    assert.deepStrictEqual(resource.violations(), [])
  })

  it("the same with a holder who does not mind: whatever it writes is refused", async () => {
    const [one, other] = (await contend(2)) as [Contender, Contender]
    const first = entered(one)
    const stopped = one.tell(section(1000, { lease: 300, deaf: true }))
    const token = await first
    one.stop()
    const second = entered(other)
    const waits = other.tell(section(1, { lease: 5000 }))
    await second
    const before = resource.refusals.length
    one.continue()
    const { error } = await stopped
    assert.strictEqual(error!.tag, "LeaseLost")
    const refused = resource.refusals.slice(before)
    assert.isAbove(refused.length, 0)
    assert.isTrue(refused.every((each) => each.token === token))
    assert.isUndefined((await waits).error)
  })

  it("an event loop that is blocked beyond the lease: LeaseLost, and not a write more", async () => {
    const [one, other] = (await contend(2)) as [Contender, Contender]
    const first = entered(one)
    const blocked = one.tell(section(60_000, { lease: 300, blocks: 1200 }))
    const token = await first
    const second = entered(other)
    const waits = other.tell(section(2000, { lease: 5000 }))
    assert.isAbove(await second, token)
    const { error } = await blocked
    assert.deepInclude(error, { tag: "LeaseLost", token })
    assert.isFalse(
      resource.refusals.some((each) => each.token === token),
      "it did not even try"
    )
    await waits
  })

  // With effect-distributed-lock 0.0.11, a client whose clock was 31 s ahead took the permit of a holder that was alive.
  it("clocks that are wrong by minutes, in both directions: nobody takes what another holds, and all have their turn", async () => {
    const minutes = 60_000
    const [ahead, behind, right] = (await contend(3, [31 * minutes, -31 * minutes, 0])) as [
      Contender,
      Contender,
      Contender
    ]
    const first = entered(right)
    const held = right.tell(section(500, { lease: 5000 }))
    await first
    const others = [ahead, behind].map((one) => one.tell(section(5, { lease: 5000 })))
    await Promise.all([held, ...others])
    assert.strictEqual(resource.tokens.get("a")!.length, 3)
    // A lease of a clock that is behind lasts as long as any.
    const second = entered(behind)
    const long = behind.tell(section(1500, { lease: 700 }))
    await second
    const more = [ahead, right].map((one) => one.tell(section(5, { lease: 700 })))
    const answers = await Promise.all([long, ...more])
    assert.deepStrictEqual(
      answers.map(({ error }) => error).filter((error) => error !== undefined),
      []
    )
    assert.deepStrictEqual(resource.overlaps, [])
    assert.deepStrictEqual(resource.violations(), [])
  })

  it("random runs: processes are killed, and stopped; no two valid tokens at once, tokens grow, permits are whole, nothing is renewed", async () => {
    const figures = await randomRuns({ url: redis.url, prefix, program: program.file, runs: 16, lanes: 2, seed: 7 })
    assert.deepStrictEqual(figures.violations, [])
    assert.isAbove(figures.killed, 5)
    assert.isAbove(figures.sections, 60)
  }, 60_000)
})
