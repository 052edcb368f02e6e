import { assert, describe, expect, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Random } from "effect"
import { Mutex } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { Explore } from "effect-concurrency/testing"

type Protect = <A>(self: Effect.Effect<A>) => Effect.Effect<A>

/** Reads, and writes what it read plus one: two operations, between which another may read. */
const counting = (protect: Protect, fibers = 2) =>
  Effect.gen(function* () {
    let count = 0
    const increment = protect(
      Effect.flatMap(
        Effect.sync(() => count),
        (seen) => Effect.sync(() => (count = seen + 1))
      )
    )
    const forked = []
    for (let i = 1; i <= fibers; i++) forked.push(yield* Explore.fork(`counter ${i}`, increment))
    for (const fiber of forked) yield* Fiber.join(fiber)
    if (count !== fibers) return yield* Effect.fail(`counted ${count}`)
  })

const racy = counting((self) => self)
const locked = (fibers: number) => Effect.suspend(() => counting(Mutex.makeUnsafe().withLock, fibers))

/** Takes two locks in a given order. */
const lockOrder = Effect.gen(function* () {
  const [a, b] = [yield* Mutex.make(), yield* Mutex.make()]
  const both = (outer: Mutex.Mutex, inner: Mutex.Mutex, label: string) =>
    outer.withLock(Effect.zipRight(Explore.step(label), inner.withLock(Effect.void)))
  const first = yield* Explore.fork("first", both(a, b, "has a"))
  const second = yield* Explore.fork("second", both(b, a, "has b"))
  yield* Fiber.join(first)
  yield* Fiber.join(second)
})

const two = (first: Effect.Effect<unknown>, second: Effect.Effect<unknown>) =>
  Effect.gen(function* () {
    const a = yield* Explore.fork("a", first)
    const b = yield* Explore.fork("b", second)
    yield* Fiber.await(a)
    yield* Fiber.await(b)
  })

const rejection = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error("it did not reject")
}

const globals = () => [
  setTimeout,
  setInterval,
  setImmediate,
  clearTimeout,
  clearInterval,
  clearImmediate,
  Date,
  Date.now,
  performance.now,
  Math.random
]

describe("a racy counter", () => {
  it.each(["exhaustive", "random", "fastCheck"] as const)(
    "is caught within 100 runs by the strategy %s, and shrunk to one preemption",
    async (strategy) => {
      const { complete, finding, schedules } = await Explore.report(racy, { strategy })
      assert.isAtMost(schedules, 100)
      assert.isFalse(complete)
      assert.strictEqual(finding?.kind, "failure")
      assert.strictEqual(finding?.size, 1)
      assert.strictEqual(finding?.cause, "counted 1")
      assert.match(finding!.trace, /counter 1 .*preempted before .*count = seen \+ 1/)
    }
  )

  it.each(["random", "fastCheck"] as const)("is caught under any seed by the strategy %s", async (strategy) => {
    for (const seed of [1, 2, 3, -4]) {
      const { finding } = await Explore.report(racy, { strategy, seed })
      assert.strictEqual(finding?.size, 1)
    }
  })

  it("is right under our Mutex, in every schedule with one preemption and with two", async () => {
    for (const bound of [1, 2]) {
      const { complete } = await Explore.check(locked(2), { bound, time: 20_000 })
      assert.isTrue(complete)
    }
    assert.isTrue((await Explore.check(locked(3), { time: 20_000 })).complete)
  })

  it("is right under taskOrder, which never preempts, and with no preemption at all", async () => {
    assert.isTrue((await Explore.check(racy, { model: "taskOrder", bound: 5 })).complete)
    assert.isTrue((await Explore.check(racy, { bound: 0 })).complete)
  })

  it("is caught under elastic once it did an unknown amount of work, and not before", async () => {
    assert.isTrue((await Explore.check(racy, { model: "elastic" })).complete)
    const working = counting((self) => Effect.zipRight(Explore.work, self))
    const { finding } = await Explore.report(working, { model: "elastic" })
    assert.strictEqual(finding?.size, 1)
    // The turn is what the work is part of: after a wait the budget is fresh.
    const rested = counting((self) => Effect.zipRight(Explore.work, Effect.zipRight(Effect.yieldNow(), self)))
    assert.isTrue((await Explore.check(rested, { model: "elastic" })).complete)
  })

  it("needs two preemptions when it is read twice, and a bound of 1 does not find it", async () => {
    // Wrong only when somebody writes between the first two operations and again between the next two.
    const suspicious = Effect.gen(function* () {
      let version = 0
      const seen: Array<number> = []
      const look = Effect.sync(() => void seen.push(version))
      const reader = yield* Explore.fork("reader", Effect.zipRight(look, Effect.zipRight(look, look)))
      const step = Effect.sync(() => void version++)
      const writer = yield* Explore.fork("writer", Effect.zipRight(step, step))
      yield* Fiber.join(reader)
      yield* Fiber.join(writer)
      if (seen[0] === 0 && seen[1] === 1 && seen[2] === 2) return yield* Effect.fail("saw each version")
    })
    assert.isTrue((await Explore.check(suspicious, { bound: 1 })).complete)
    const { finding } = await Explore.report(suspicious, { bound: 3 })
    assert.isAtLeast(finding!.size, 2)
  })
})

describe("a finding", () => {
  it("tells the whole story in its message", async () => {
    const finding = (await rejection(Explore.check(racy))) as Explore.Finding
    assert.instanceOf(finding, Explore.Finding)
    assert.include(finding.message, "counted 1")
    assert.include(finding.message, "model aggressive, 1 deviation")
    assert.include(finding.message, finding.trace)
    assert.include(finding.message, `Explore.replay(scenario, ${JSON.stringify(finding.replay)})`)
    assert.include(finding.trace, "starts counter 1; starts counter 2; waits for counter 1")
  })

  it("is replayed the same each time", async () => {
    const { finding } = await Explore.report(racy)
    for (let i = 0; i < 3; i++) {
      const again = await Explore.replay(racy, finding!.replay)
      assert.strictEqual(again.finding?.message, finding!.message)
      assert.strictEqual(again.trace, finding!.trace)
    }
  })

  it("comes out the same in another exploration with the same seed", async () => {
    for (const strategy of ["exhaustive", "random", "fastCheck"] as const) {
      const reports = [await Explore.report(racy, { strategy }), await Explore.report(racy, { strategy })]
      assert.strictEqual(reports[0]!.finding?.message, reports[1]!.finding?.message)
      assert.strictEqual(reports[0]!.schedules, reports[1]!.schedules)
    }
  })

  it("does not fit another scenario, which a replay says", async () => {
    const { finding } = await Explore.report(racy)
    const { message } = await rejection(Explore.replay(two(Effect.void, Effect.void), finding!.replay))
    expect(message).toMatch(/^Explore\.replay: the schedule ".*" does not fit this scenario: .*Explore again/)
  })

  it.each(["", "nonsense", "aggressive 1", "aggressive 2.1 1.1", "aggressive 1.0", "elastic,hasty", "x,interrupt=%ff"])(
    "is not %j",
    async (text) => {
      const { message } = await rejection(Explore.replay(racy, text))
      assert.strictEqual(
        message,
        `Explore.replay: replay must be a string that a finding printed, got ${JSON.stringify(text)}`
      )
    }
  )

  it("with unusual names is replayed", async () => {
    const name = "a b|c,d%é"
    const scenario = Effect.gen(function* () {
      const fiber = yield* Explore.fork(name, Effect.yieldNow())
      const exit = yield* Fiber.await(fiber)
      if (Exit.isFailure(exit)) return yield* Effect.fail("interrupted")
    })
    const { finding } = await Explore.report(scenario, { interrupt: [name], bound: 0 })
    const again = await Explore.replay(scenario, finding!.replay)
    assert.strictEqual(again.finding?.message, finding!.message)
    assert.include(again.trace, name)
  })

  it("of a scenario that fails at once is the stock order", async () => {
    const { finding, schedules } = await Explore.report(Effect.die(new Error("at once")))
    assert.strictEqual(finding?.size, 0)
    assert.strictEqual(schedules, 1)
    assert.include(finding?.message, "the stock order")
    assert.instanceOf(finding?.cause, Error)
  })

  it("is also what a defect is, and an error in the callback of a timer", async () => {
    const defect = await Explore.report(Effect.zipRight(racy, Effect.die("broken")), { bound: 0 })
    assert.strictEqual(defect.finding?.cause, "broken")
    const thrown = await Explore.report(
      Effect.async<void>(() => {
        setTimeout(() => {
          throw new Error("in a callback")
        }, 5)
      })
    )
    assert.strictEqual(thrown.finding?.kind, "failure")
    assert.include(thrown.finding?.message, "thrown by a callback: Error: in a callback")
  })
})

describe("a deadlock", () => {
  it("is named at once, with who waits on what", async () => {
    const { finding, milliseconds } = await Explore.report(lockOrder)
    assert.strictEqual(finding?.kind, "deadlock")
    assert.strictEqual(finding?.size, 1)
    assert.isBelow(milliseconds, 1_000)
    assert.include(finding?.message, "deadlock: nobody is ready, no timer is set, and the scenario has not ended")
    assert.match(finding!.message, /main waits for first\n/)
    assert.match(finding!.message, /first waits for .*, after "has a"\n/)
    assert.match(finding!.message, /second waits for .*, after "has b"\n/)
  })

  it("is also a wait for what never comes", async () => {
    const scenario = Effect.flatMap(Deferred.make<void>(), (deferred) => two(Deferred.await(deferred), Effect.void))
    const { finding } = await Explore.report(scenario)
    assert.strictEqual(finding?.kind, "deadlock")
    assert.strictEqual(finding?.size, 0)
    assert.include(finding?.message, "a waits for main")
  })

  it("leaves nothing in the process: its fibers end, and their finalizers run", async () => {
    const ended: Array<string> = []
    let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
    const scenario = Effect.gen(function* () {
      fiber = yield* Explore.fork(
        "stuck",
        Effect.ensuring(
          Effect.never,
          Effect.sync(() => ended.push("stuck"))
        )
      )
      yield* Fiber.join(fiber)
    })
    const before = process.getActiveResourcesInfo().length
    const { finding } = await Explore.report(scenario)
    assert.strictEqual(finding?.kind, "deadlock")
    assert.isNotNull(fiber?.unsafePoll())
    assert.include(ended, "stuck")
    assert.isAtMost(process.getActiveResourcesInfo().length, before + 1)
  })
})

describe("a livelock", () => {
  it.each([
    ["yields for ever", Effect.forever(Effect.yieldNow())],
    ["does not even yield", Effect.forever(Effect.void)],
    ["sleeps again and again", Effect.forever(Effect.sleep("1 hour"))],
    ["sleeps and cannot be interrupted", Effect.uninterruptible(Effect.forever(Effect.sleep("1 hour")))]
  ])("is a fiber that %s", async (_, forever) => {
    for (const promises of [false, true]) {
      const { finding } = await Explore.report(two(forever, Effect.void), { operations: 1_000, promises })
      assert.strictEqual(finding?.kind, "livelock")
      assert.include(finding?.message, "did not end within the operations that it may have")
    }
  })

  it("is a task that takes step after step", async () => {
    const scenario: Explore.Scenario = ({ spawn }) =>
      spawn("restless", async ({ step }) => {
        while (true) await step()
      })
    const { finding } = await Explore.report(scenario, { operations: 500 })
    assert.strictEqual(finding?.kind, "livelock")
  })
})

describe("a scenario that does not do the same again", () => {
  it("is reported as such when it depends on an earlier run", async () => {
    let runs = 0
    const scenario = Effect.suspend(() =>
      runs++ % 3 === 2 ? Effect.fail("every third time") : counting((self) => self)
    )
    const { finding } = await Explore.report(scenario, { model: "taskOrder" })
    assert.strictEqual(finding?.kind, "nondeterminism")
    assert.include(finding?.message, "make everything that it uses inside it")
  })

  it("is reported as such when it goes other ways", async () => {
    let runs = 0
    const scenario = Effect.suspend(() => {
      runs++
      return two(
        Effect.forEach(Array.from({ length: runs }), () => Effect.yieldNow()),
        Effect.yieldNow()
      )
    })
    for (const strategy of ["exhaustive", "random", "fastCheck"] as const) {
      runs = 0
      const { finding } = await Explore.report(scenario, { strategy, runs: 20 })
      assert.strictEqual(finding?.kind, "nondeterminism")
    }
  })

  it("is reported as such when state is kept from run to run", async () => {
    let count = 0
    const scenario = Effect.zipRight(
      two(Effect.void, Effect.void),
      Effect.suspend(() => (++count > 1 ? Effect.fail("used before") : Effect.void))
    )
    assert.strictEqual((await Explore.report(scenario)).finding?.kind, "nondeterminism")
  })
})

describe("bad input", () => {
  const refused = async (scenario: unknown, options: unknown) =>
    (await rejection(Explore.check(scenario as Explore.Scenario, options as Explore.Options))).message

  it.each([
    [{ bound: -1 }, "bound must be an integer of at least 0, got -1"],
    [{ bound: 0.5 }, "bound must be an integer of at least 0, got 0.5"],
    [{ bound: "1" }, 'bound must be an integer of at least 0, got "1"'],
    [{ runs: 0 }, "runs must be an integer of at least 1, got 0"],
    [{ operations: 0 }, "operations must be an integer of at least 1, got 0"],
    [{ time: -5 }, "time must be 0 or more milliseconds, got -5"],
    [{ time: NaN }, "time must be 0 or more milliseconds, got NaN"],
    [{ seed: 0.5 }, "seed must be an integer from -2147483648 to 2147483648, got 0.5"],
    [{ model: "paranoid" }, 'model must be one of "taskOrder", "elastic", "aggressive", got "paranoid"'],
    [{ strategy: "best" }, 'strategy must be one of "exhaustive", "random", "fastCheck", got "best"'],
    [{ promises: 1 }, "promises must be true or false, got 1"],
    [{ interrupt: "a" }, 'interrupt must be true, false, or a list of names, got "a"'],
    [{ interrupt: [1] }, "interrupt must be true, false, or a list of names, got an object (Array)"],
    [null, "options must be an object, got null"]
  ])("is refused: %j", async (options, message) => {
    assert.strictEqual(await refused(racy, options), `Explore.check: ${message}`)
  })

  it("is a scenario that is neither an Effect nor a function", async () => {
    assert.strictEqual(await refused(5, {}), "Explore.check: scenario must be an Effect or an async function, got 5")
  })

  it("is a name that is none, or an effect that is none", () => {
    expect(() => Explore.fork(5 as never, Effect.void)).toThrow("Explore.fork: name must be a string, got 5")
    expect(() => Explore.fork("a", 5 as never)).toThrow("Explore.fork: effect must be an Effect, got 5")
    expect(() => Explore.extend(5 as never)).toThrow("Explore.extend: it must be a function, got 5")
  })

  it("is a scenario with a single fiber", async () => {
    for (const strategy of ["exhaustive", "random", "fastCheck"] as const) {
      const message = await refused(Effect.yieldNow(), { strategy })
      expect(message).toMatch(
        /^Explore\.check: the scenario has a single fiber.*Fork what is to interleave, with Explore\.fork/
      )
    }
    expect(await refused(async () => 1, {})).toMatch(/in an async function, with spawn\./)
    expect(await refused(() => racy, {})).toMatch(/single fiber/)
  })

  it("is an interruption of somebody who is not there", async () => {
    assert.strictEqual(
      await refused(two(Effect.void, Effect.void), { interrupt: ["a", "nobody"], bound: 0, model: "taskOrder" }),
      'Explore.check: interrupt names "nobody", and no fiber or task has that name. Name it with Explore.fork.'
    )
  })

  it("is an interruption everywhere of nobody", async () => {
    const unnamed = Effect.flatMap(Effect.fork(Effect.yieldNow()), Fiber.await)
    const { message } = await rejection(Explore.interruptEverywhere(unnamed))
    expect(message).toMatch(/^Explore\.interruptEverywhere: nobody can be interrupted, .*Explore\.fork\.$/)
  })

  it("is a promise that settles by itself, unless that is asked for", async () => {
    const scenario = two(
      Effect.promise(() => Promise.resolve(1)),
      Effect.void
    )
    for (const strategy of ["exhaustive", "random", "fastCheck"] as const) {
      expect(await refused(scenario, { strategy })).toMatch(
        /^Explore\.check: the scenario waits for something that the explorer does not control: a promise.*`promises: true`/
      )
    }
    assert.isTrue((await Explore.check(scenario, { promises: true })).complete)
  })

  it("is real time", async () => {
    const { setTimeout: real } = globalThis
    const scenario = two(
      Effect.async<void>((resume) => void real(() => resume(Effect.void), 5)),
      Effect.void
    )
    expect(await refused(scenario, {})).toMatch(/real time.*Effect\.sleep/)
    expect(await refused(scenario, { promises: true })).toMatch(/real time or input\. Sleep with Effect\.sleep/)
  })
})

describe("time", () => {
  it("is virtual: hours take none", async () => {
    const started = performance.now()
    const { finding, value } = await Explore.replay(
      Effect.gen(function* () {
        const fiber = yield* Explore.fork("sleeper", Effect.sleep("5 hours"))
        yield* Fiber.join(fiber)
        return yield* Clock.currentTimeMillis
      }),
      "aggressive"
    )
    assert.isUndefined(finding)
    assert.strictEqual(value, 5 * 60 * 60 * 1000)
    assert.isBelow(performance.now() - started, 1_000)
  })

  it("reorders the timers of one instant, and no others", async () => {
    const order = (first: number, second: number) =>
      Effect.gen(function* () {
        const seen: Array<string> = []
        const after = (name: string, delay: number) =>
          Effect.zipRight(
            Effect.sleep(delay),
            Effect.sync(() => seen.push(name))
          )
        yield* two(after("a", first), after("b", second))
        return seen.join("")
      })
    const same = await Explore.check(order(10, 10), { model: "taskOrder" })
    assert.deepStrictEqual([...same.outcomes.keys()].sort(), ["ab", "ba"])
    const different = await Explore.check(order(10, 11), { model: "taskOrder" })
    assert.deepStrictEqual([...different.outcomes.keys()], ["ab"])
  })

  it("lets a timeout race with work under elastic and aggressive only", async () => {
    const scenario = Effect.gen(function* () {
      const work = Effect.yieldNow()
      const fiber = yield* Explore.fork("worker", Effect.timeoutOption(Effect.zipRight(Explore.work, work), 10))
      return (yield* Fiber.join(fiber))._tag
    })
    const outcomes = async (model: Explore.Model) =>
      [...(await Explore.check(scenario, { model })).outcomes.keys()].sort().join()
    assert.strictEqual(await outcomes("taskOrder"), "Some")
    assert.strictEqual(await outcomes("elastic"), "None,Some")
    assert.strictEqual(await outcomes("aggressive"), "None,Some")
  })

  it("and chance are virtual for plain code, too, and the platform's again afterwards", async () => {
    const before = globals()
    const seen = await Explore.replay(async ({ spawn }) => {
      const values = [Date.now(), performance.now(), new Date().getTime(), Math.random()]
      await spawn("sleeper", () => new Promise((resolve) => setTimeout(resolve, 60_000, "slept")))
      await new Promise((resolve) => setImmediate(resolve))
      let ticks = 0
      await new Promise<void>((resolve) => {
        const interval = setInterval(() => {
          if (++ticks === 3) {
            clearInterval(interval)
            resolve()
          }
        }, 1_000)
      })
      const cancelled = setTimeout(() => ticks++, 1)
      clearTimeout(cancelled)
      return [...values, Date.now(), performance.now(), ticks, new Date(7).getTime(), new Date() instanceof Date]
    }, "aggressive,promises")
    const [now, monotonic, date, random, ...rest] = seen.value as Array<number>
    assert.deepStrictEqual([now, monotonic, date], [0, 0, 0])
    assert.isTrue(random! >= 0 && random! < 1)
    assert.deepStrictEqual(rest as Array<unknown>, [63_000, 63_000, 3, 7, true])
    assert.deepStrictEqual(globals(), before)
  })

  it("and chance are the same in each run", async () => {
    const scenario = Effect.gen(function* () {
      yield* two(Effect.yieldNow(), Effect.yieldNow())
      return [Math.random(), yield* Random.next, yield* Clock.currentTimeMillis, Date.now()]
    })
    const { outcomes, schedules } = await Explore.check(scenario)
    assert.isAbove(schedules, 10)
    assert.strictEqual(outcomes.size, 1)
  })

  it("is the platform's again when a run is refused, throws or deadlocks", async () => {
    const before = globals()
    await rejection(
      Explore.check(
        two(
          Effect.promise(() => Promise.resolve()),
          Effect.void
        )
      )
    )
    assert.deepStrictEqual(globals(), before)
    await Explore.report(two(Effect.never, Effect.void))
    assert.deepStrictEqual(globals(), before)
    await Explore.report(() => Promise.reject(new Error("no")))
    assert.deepStrictEqual(globals(), before)
    await rejection(Explore.replay(racy, "aggressive 9999.1"))
    assert.deepStrictEqual(globals(), before)
  })

  it("is the platform's for those who go on between the runs of a long exploration", async () => {
    let real = 0
    const ticking = setInterval(() => {
      if (Date.now() > 1e12) real++
    }, 1)
    await Explore.report(locked(2), { strategy: "random", runs: 1_000_000, time: 400 })
    clearInterval(ticking)
    assert.isAbove(real, 0)
  })
})

describe("interruption", () => {
  it("everywhere is an interruption at each operation", async () => {
    // Leaks when it is interrupted between the two.
    const leaky = Effect.gen(function* () {
      let held = 0
      const victim = yield* Explore.fork(
        "victim",
        Effect.zipRight(
          Effect.sync(() => void held++),
          Effect.sync(() => void held--)
        )
      )
      yield* Fiber.await(victim)
      if (held !== 0) return yield* Effect.fail("leaked")
    })
    const finding = (await rejection(Explore.interruptEverywhere(leaky))) as Explore.Finding
    assert.strictEqual(finding.size, 1)
    assert.match(finding.trace, /victim +interrupted at operation \d/)
    assert.isTrue((await Explore.check(leaky)).complete)
    // Where only those are interrupted that wait, or did not go on yet, nothing is lost.
    assert.isTrue((await Explore.interruptEverywhere(leaky, { model: "taskOrder" })).complete)
  })

  it("everywhere comes by each operation of each fiber with a name, and by no other", async () => {
    const ended: Array<string> = []
    const scenario = Effect.gen(function* () {
      const named = yield* Explore.fork("named", Effect.yieldNow())
      const unnamed = yield* Effect.fork(Effect.yieldNow())
      const exits = [yield* Fiber.await(named), yield* Fiber.await(unnamed)]
      ended.push(exits.map(({ _tag }) => _tag).join())
    })
    const { complete, schedules } = await Explore.interruptEverywhere(scenario, {
      model: "aggressive",
      bound: undefined
    })
    assert.isTrue(complete)
    assert.isAbove(schedules, 10)
    assert.deepStrictEqual([...new Set(ended)].sort(), ["Failure,Success", "Success,Success"])
  })

  it("takes only those whose names it is given", async () => {
    const ended = new Set<string>()
    const scenario = Effect.gen(function* () {
      const a = yield* Explore.fork("a", Effect.yieldNow())
      const b = yield* Explore.fork("b", Effect.yieldNow())
      ended.add([yield* Fiber.await(a), yield* Fiber.await(b)].map(({ _tag }) => _tag).join())
    })
    await Explore.check(scenario, { interrupt: ["b"] })
    assert.deepStrictEqual([...ended].sort(), ["Success,Failure", "Success,Success"])
  })

  it("takes one in a schedule", async () => {
    const scenario = Effect.gen(function* () {
      const a = yield* Explore.fork("a", Effect.yieldNow())
      const b = yield* Explore.fork("b", Effect.yieldNow())
      const exits = [yield* Fiber.await(a), yield* Fiber.await(b)]
      if (exits.every(Exit.isFailure)) return yield* Effect.fail("both")
    })
    for (const strategy of ["exhaustive", "random", "fastCheck"] as const) {
      await Explore.check(scenario, { interrupt: true, strategy, runs: 2_000 })
    }
  })
})

describe("an async scenario", () => {
  const racyTasks: Explore.Scenario = async ({ spawn }) => {
    let count = 0
    const increment = async ({ step }: Explore.Task) => {
      const seen = count
      await step("has read")
      count = seen + 1
    }
    await Promise.all([spawn("a", increment), spawn("b", increment)])
    return count
  }

  it("has the outcomes of its orders, in a histogram", async () => {
    const { complete, outcomes, schedules } = await Explore.check(racyTasks)
    assert.isTrue(complete)
    assert.deepStrictEqual([...outcomes.keys()].sort(), ["1", "2"])
    assert.strictEqual(
      [...outcomes.values()].reduce((sum, times) => sum + times, 0),
      schedules
    )
  })

  it("is right under our Mutex", async () => {
    const { complete, outcomes } = await Explore.check(async ({ spawn }) => {
      let count = 0
      const mutex = new Promises.Mutex()
      const increment = ({ step }: Explore.Task) =>
        mutex.run(async () => {
          const seen = count
          await step()
          count = seen + 1
        })
      await Promise.all([spawn("a", increment), spawn("b", increment), spawn("c", increment)])
      return count
    })
    assert.isTrue(complete)
    assert.deepStrictEqual([...outcomes.keys()], ["3"])
  })

  it("may fork fibers beside its tasks", async () => {
    const { complete, outcomes } = await Explore.check(async ({ fork, spawn }) => {
      const mutex = Mutex.makeUnsafe()
      const order: Array<string> = []
      await Promise.all([
        spawn("task", () => Promises.Mutex.from(mutex).run(() => void order.push("task"))),
        fork("fiber", mutex.withLock(Effect.sync(() => order.push("fiber"))))
      ])
      return order.join()
    })
    assert.isTrue(complete)
    assert.deepStrictEqual([...outcomes.keys()].sort(), ["fiber,task", "task,fiber"])
  })

  it("rejects with the error of the fiber that it forked", async () => {
    const error = new Error("its own")
    const { finding } = await Explore.report(({ fork }) => fork("fiber", Effect.fail(error)))
    assert.strictEqual(finding?.cause, error)
  })

  it("has tasks that are interrupted by their signal", async () => {
    const scenario: Explore.Scenario = async ({ spawn }) => {
      const mutex = new Promises.Mutex()
      const use = ({ signal, step }: Explore.Task) => mutex.run(() => step(), { signal })
      const results = await Promise.allSettled([spawn("a", use), spawn("b", use)])
      if (mutex.isLocked) throw new Error("still locked")
      return results.map(({ status }) => status).join()
    }
    const { complete, outcomes } = await Explore.interruptEverywhere(scenario)
    assert.isTrue(complete)
    assert.deepStrictEqual(
      [...outcomes.keys()].sort(),
      ["fulfilled,fulfilled", "fulfilled,rejected", "rejected,fulfilled"].sort()
    )
  })

  it("may await its tasks one after the other although a later one fails first", async () => {
    const { finding } = await Explore.report(async ({ spawn }) => {
      const slow = spawn("slow", ({ step }) => step())
      const failing = spawn("failing", () => Promise.reject(new Error("early")))
      await slow
      await failing
    })
    assert.include(finding?.message, "early")
    assert.match(finding!.trace, /failing fails: Error: early/)
  })

  it("that deadlocks is a deadlock, and says who waits", async () => {
    const { finding } = await Explore.report(async ({ spawn }) => {
      await spawn("stuck", async ({ step }) => {
        await step("about to wait")
        await new Promise(() => {})
      })
    })
    assert.strictEqual(finding?.kind, "deadlock")
    assert.include(finding?.message, 'stuck waits, after "about to wait"')
  })

  it("may throw at once", async () => {
    const { finding } = await Explore.report(() => {
      throw new Error("synchronously")
    })
    assert.include(finding?.message, "synchronously")
  })
})

describe("a report", () => {
  it("says whether all schedules were run, or runs or time cut them off", async () => {
    const all = await Explore.report(locked(2))
    assert.isTrue(all.complete)
    const cut = await Explore.report(locked(2), { runs: all.schedules - 1 })
    assert.isFalse(cut.complete)
    assert.strictEqual(cut.schedules, all.schedules - 1)
    const exact = await Explore.report(locked(2), { runs: all.schedules })
    assert.isTrue(exact.complete)
    const late = await Explore.report(locked(3), { bound: 3, runs: 10_000_000, time: 50 })
    assert.isFalse(late.complete)
    assert.isBelow(late.milliseconds, 2_000)
    assert.strictEqual((await Explore.report(locked(2), { runs: 1 })).schedules, 1)
  })

  it("samples a level that has more schedules than runs, from its beginning to its end", async () => {
    const padding = Array.from({ length: 20 }).reduce<Effect.Effect<void>>(
      (self) =>
        Effect.zipRight(
          self,
          Effect.sync(() => {})
        ),
      Effect.void
    )
    // Fails in one schedule, in which it is preempted near its end.
    const late = Effect.gen(function* () {
      let seen = 0
      const look = Effect.flatMap(
        Effect.sync(() => seen),
        (before) => Effect.sync(() => seen !== before)
      )
      const a = yield* Explore.fork("a", Effect.zipRight(padding, look))
      const b = yield* Explore.fork(
        "b",
        Effect.sync(() => void seen++)
      )
      yield* Fiber.join(b)
      if (yield* Fiber.join(a)) return yield* Effect.fail("preempted late")
    })
    const { finding, schedules } = await Explore.report(late)
    assert.strictEqual(finding?.size, 1)
    let found = 0
    for (let seed = 0; seed < 20; seed++) {
      const report = await Explore.report(late, { seed, runs: Math.floor(schedules / 2) })
      assert.isAtMost(report.schedules, schedules / 2)
      if (report.finding !== undefined) found++
    }
    assert.isAbove(found, 2)
    assert.isBelow(found, 20)
  })

  it("keeps the values that scenarios end with as text, whatever they are", async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic["self"] = cyclic
    for (const value of [cyclic, 1n, Symbol("s"), null, { a: 1 }]) {
      const { outcomes } = await Explore.check(Effect.as(two(Effect.void, Effect.void), value), { model: "taskOrder" })
      assert.strictEqual(outcomes.size, 1)
    }
  })

  it("is not repeated: each schedule is run once", async () => {
    const traces = new Set<string>()
    let runs = 0
    const scenario = Effect.gen(function* () {
      const order: Array<string> = []
      const log = (name: string) =>
        Effect.zipRight(
          Effect.sync(() => order.push(`${name}1`)),
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => order.push(`${name}2`))
          )
        )
      yield* two(log("a"), log("b"))
      runs++
      traces.add(order.join())
    })
    await Explore.check(scenario, { model: "taskOrder" })
    // Each order of a1 < a2 and b1 < b2.
    assert.strictEqual(traces.size, 6)
    assert.isBelow(runs, 40)
  })
})

describe("the default", () => {
  it("is the order of the stock scheduler", async () => {
    const program = Effect.gen(function* () {
      const order: Array<string> = []
      const semaphore = Effect.unsafeMakeSemaphore(1)
      const latch = yield* Effect.makeLatch()
      const worker = (name: string) =>
        Effect.gen(function* () {
          order.push(`${name} begins`)
          yield* Effect.fork(Effect.sync(() => order.push(`${name}'s child`)))
          yield* semaphore.withPermits(1)(
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => order.push(`${name} holds`))
            )
          )
          yield* Effect.fork(Effect.sync(() => order.push(`${name}'s second child`)))
          yield* latch.await
          order.push(`${name} ends`)
        })
      const fibers = []
      for (const name of ["a", "b", "c"]) fibers.push(yield* Effect.fork(worker(name)))
      yield* Effect.yieldNow()
      yield* Effect.yieldNow()
      yield* latch.open
      for (const fiber of fibers) yield* Fiber.join(fiber)
      yield* Effect.all([Effect.sync(() => order.push("x")), Effect.sync(() => order.push("y"))], {
        concurrency: "unbounded"
      })
      return order.join("; ")
    })
    const stock = await Effect.runPromise(Effect.zipRight(Effect.yieldNow(), program))
    const { value } = await Explore.replay(program, "aggressive")
    assert.strictEqual(value, stock)
  })
})

describe("outside an exploration", () => {
  it.effect("fork, step and work do no harm", () =>
    Effect.gen(function* () {
      const fiber = yield* Explore.fork("plain", Effect.zipRight(Explore.work, Explore.step("here")))
      yield* Fiber.join(fiber)
    })
  )
})

describe("explorations that are begun together", () => {
  it("take place one after the other", async () => {
    const before = globals()
    const reports = await Promise.all([
      Explore.report(racy),
      Explore.report(lockOrder),
      Explore.report(async ({ spawn }) => spawn("a", ({ step }) => step())),
      Explore.replay(racy, "aggressive"),
      Explore.check(locked(2))
    ])
    assert.strictEqual(reports[0].finding?.kind, "failure")
    assert.strictEqual(reports[1].finding?.kind, "deadlock")
    assert.isUndefined(reports[2].finding)
    assert.isUndefined(reports[3].finding)
    assert.isTrue(reports[4].complete)
    assert.deepStrictEqual(globals(), before)
  })

  it("go on although one before them was refused", async () => {
    const refused = Explore.check(Effect.yieldNow())
    const clean = Explore.check(locked(2))
    await rejection(refused)
    assert.isTrue((await clean).complete)
  })
})

describe("Explore.extend", () => {
  const extended = Explore.extend(it)

  extended.explore("makes a test of a scenario", locked(2), { bound: 1, time: 10_000 })

  it("makes a test that fails with the finding", async () => {
    const tests: Array<{
      readonly name: string
      readonly test: () => Promise<unknown>
      readonly timeout: number | undefined
    }> = []
    const plain = (name: string, test: () => Promise<unknown>, timeout?: number) => tests.push({ name, test, timeout })
    Explore.extend(plain).explore("a race", racy, { time: 1_000 })
    assert.strictEqual(tests[0]!.name, "a race")
    assert.strictEqual(tests[0]!.timeout, 6_000)
    assert.instanceOf(await rejection(tests[0]!.test()), Explore.Finding)
  })

  it("keeps what the test function was and had", () => {
    assert.strictEqual(extended.effect, it.effect)
    assert.isFunction(extended.skip)
    assert.isFunction(extended.each)
    const calls: Array<unknown> = []
    Explore.extend((...args: Array<unknown>) => calls.push(args))("name" as never, (() => {}) as never)
    assert.lengthOf(calls, 1)
  })
})

describe("the rate", () => {
  it("is thousands of schedules a second", async () => {
    await Explore.report(locked(2), { bound: 2, time: 20_000 })
    const before = process.cpuUsage()
    const { schedules } = await Explore.report(locked(2), { strategy: "random", runs: 10_000, time: 20_000 })
    const { system, user } = process.cpuUsage(before)
    const rate = schedules / ((user + system) / 1e6)
    console.log(`${Math.round(rate).toLocaleString("en-US")} schedules a second of processor time, two fibers`)
    // Many times that on a machine with nothing else to do.
    assert.isAbove(rate, 1_000)
  })
})
