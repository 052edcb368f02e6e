/** Can my own code go wrong? A cache that computes each value once, and what an ordinary test of it does not see. No counterpart. */
import { Effect, Fiber } from "effect"
import { Mutex } from "effect-concurrency"
import { Explore } from "effect-concurrency/testing"
import { show, title } from "./show.js"

title("Can my own code go wrong?", "no counterpart: run it a thousand times, and hope")

/** A user's cache: looks, computes what is missing, and keeps it. It is wrong: two who look at the same time both compute. */
const makeCache = <A>(compute: (key: string) => Effect.Effect<A>) => {
  const values = new Map<string, A>()
  const get = (key: string): Effect.Effect<A> =>
    Effect.suspend(() => {
      const value = values.get(key)
      if (value !== undefined) return Effect.succeed(value)
      return Effect.tap(compute(key), (computed) => Effect.sync(() => values.set(key, computed)))
    })
  return { get }
}

/** The same behind a lock. */
const makeLockedCache = <A>(compute: (key: string) => Effect.Effect<A>) => {
  const cache = makeCache(compute)
  const lock = Mutex.makeUnsafe()
  return { get: (key: string) => lock.withLock(cache.get(key)) }
}

/** Two want the same value, and one of them may be interrupted. The claim: it is computed once, unless the one who computes it is interrupted. */
const once = (make: typeof makeCache) =>
  Effect.gen(function* () {
    let computed = 0
    const compute = (key: string) => Effect.as(Effect.zipRight(Effect.yieldNow(), Explore.step("computes")), key.length)
    const cache = make((key) => Effect.tap(compute(key), () => Effect.sync(() => computed++)))
    const first = yield* Explore.fork("first", cache.get("key"))
    const second = yield* Explore.fork("second", cache.get("key"))
    const exits = [yield* Fiber.await(first), yield* Fiber.await(second)]
    if (computed > 1 && exits.every((exit) => exit._tag === "Success"))
      return yield* Effect.fail(`computed ${computed} times`)
  })

const { finding } = await Explore.report(once(makeCache))
show("effect", `without a lock: ${finding?.kind}, ${String(finding?.cause)}; the schedule:`)
console.log(finding?.trace.replace(/^/gm, "         "))
const { complete, schedules } = await Explore.check(once(makeLockedCache), { interrupt: true })
show(
  "effect",
  `with a lock: ${complete ? "all" : "some"} schedules with a preemption and an interruption, ${schedules > 100 ? "hundreds" : "few"}, and none fails`
)

/** The same cache of promises. */
const sameTwice = (keep: "value" | "promise") =>
  Explore.report(async ({ spawn }) => {
    let computed = 0
    const values = new Map<string, unknown>()
    const get = async (key: string, step: () => Promise<void>) => {
      const known = values.get(key)
      if (known !== undefined) return known
      const computing = step().then(() => ++computed)
      if (keep === "promise") values.set(key, computing)
      const value = await computing
      if (keep === "value") values.set(key, value)
      return value
    }
    await Promise.all([
      spawn("first", (task) => get("key", () => task.step("computes"))),
      spawn("second", (task) => get("key", () => task.step("computes")))
    ])
    if (computed > 1) throw new Error(`computed ${computed} times`)
  })
show(
  "promise",
  `keeping the value: ${(await sameTwice("value")).finding?.kind}; keeping the promise: ${(await sameTwice("promise")).finding?.kind ?? "fine"}`
)
