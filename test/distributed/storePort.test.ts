/** How a store is asked in nobody's name, among fibers: what instances rely on, whoever wrote the store. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Context, Effect, Exit, Fiber, FiberRef, Supervisor } from "effect"
import { DistributedMutex, LeaseStore } from "effect-concurrency/distributed"
import { StoreError } from "effect-concurrency/redis"
import { MemoryLeases } from "../../src/core/memoryLeases.js"
import { fromPromise, promisedBy } from "../../src/internal/store.js"
import { forks, Questioner } from "../../src/internal/storePort.js"
import { timekeeper } from "../../src/internal/timer.js"

/** Asks, and writes down what happens in which order. */
const heard = <A>(
  question: () => Effect.Effect<A, unknown>,
  check: (answer: A) => A = (answer) => answer
): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.flatMap(forks, (forks) => {
    const log: Array<unknown> = []
    let over: (log: ReadonlyArray<unknown>) => void = () => {}
    const ended = new Promise<ReadonlyArray<unknown>>((resolve) => (over = resolve))
    const told = (kind: string) => (what: unknown) => {
      log.push(kind, what)
      over(log)
    }
    const asked = () => {
      log.push("asked")
      return question()
    }
    return Effect.zipRight(
      Effect.sync(() => {
        new Questioner(forks).ask(asked, check, told("answered"), told("failed"))
        log.push("returned")
      }),
      Effect.promise(() => ended)
    )
  })

const down = new StoreError("down")
const odd = new Error("odd")

const later = <A>(effect: Effect.Effect<A, unknown>) => Effect.zipRight(Effect.yieldNow(), effect)

describe("a question", () => {
  const ways: Record<string, (exit: "answer" | StoreError | Error) => Effect.Effect<number, unknown>> = {
    "an effect that does not wait": (exit) =>
      exit === "answer" ? Effect.succeed(1) : exit === down ? Effect.fail(exit) : Effect.die(exit),
    "an effect that waits": (exit) =>
      later(exit === "answer" ? Effect.succeed(1) : exit === down ? Effect.fail(exit) : Effect.die(exit)),
    "a promise": (exit) => fromPromise(async () => (exit === "answer" ? 1 : Promise.reject(exit))),
    "something around a promise": (exit) =>
      Effect.map(
        fromPromise(async () => (exit === "answer" ? 1 : Promise.reject(exit))),
        (one) => one
      )
  }

  for (const [name, way] of Object.entries(ways)) {
    it(`${name}: it is put at once, and answered later; what fails is a cause`, async () => {
      assert.deepStrictEqual(await Effect.runPromise(heard(() => way("answer"))), ["asked", "returned", "answered", 1])
      assert.deepStrictEqual(await Effect.runPromise(heard(() => way(down))), [
        "asked",
        "returned",
        "failed",
        Cause.fail(down)
      ])
      assert.deepStrictEqual(await Effect.runPromise(heard(() => way(odd))), [
        "asked",
        "returned",
        "failed",
        Cause.die(odd)
      ])
    })

    it(`${name}: an answer that is none is a defect, whatever is thrown about it`, async () => {
      const refuse = () => {
        throw down
      }
      const log = await Effect.runPromise(heard(() => way("answer"), refuse))
      assert.deepStrictEqual(log, ["asked", "returned", "failed", Cause.die(down)])
    })
  }

  it("a store that throws instead: a defect if it promised an effect, and otherwise as if it had rejected", async () => {
    const thrown = (error: Error) => (): never => {
      throw error
    }
    assert.deepStrictEqual(await Effect.runPromise(heard(thrown(odd))), ["asked", "returned", "failed", Cause.die(odd)])
    assert.deepStrictEqual(await Effect.runPromise(heard(() => fromPromise(thrown(down)))), [
      "asked",
      "returned",
      "failed",
      Cause.fail(down)
    ])
  })

  it("a promise is waited for without a fiber; what is put around it, or can be given up, is run", async () => {
    const f = async () => 1
    assert.strictEqual(promisedBy(fromPromise(f)), f)
    assert.isUndefined(promisedBy(Effect.asVoid(fromPromise(f))))
    assert.isUndefined(promisedBy(fromPromise(async (signal) => signal.aborted)))
    const fibers = await Effect.runPromise(
      Effect.gen(function* () {
        const supervisor = yield* Supervisor.track
        yield* Effect.supervised(
          heard(() => fromPromise(() => Effect.runPromise(Effect.as(supervisor.value, 1)))),
          supervisor
        )
        return yield* supervisor.value
      })
    )
    assert.deepStrictEqual(fibers, [])
  })

  it.effect("it is asked with what the fiber has that made the instance, and not with what the caller has", () =>
    Effect.gen(function* () {
      class Who extends Context.Reference<Who>()("test/Who", { defaultValue: () => "nobody" }) {}
      const seen: Array<string> = []
      const memory = new MemoryLeases(yield* timekeeper)
      const look = <A>(f: () => A) => Effect.flatMap(Who, (who) => Effect.sync(() => (seen.push(who), f())))
      const store: LeaseStore.LeaseStoreShape = {
        acquire: (request) => look(() => memory.acquire(request)),
        renew: (request) => look(() => memory.renew(request)),
        release: (request) => look(() => memory.release(request)),
        watch: () => Effect.void
      }
      const mutex = yield* Effect.provideService(DistributedMutex.make({}, store), Who, "the maker")
      yield* Effect.provideService(mutex.withLock("a")(Effect.void), Who, "the caller")
      assert.deepStrictEqual(seen, ["the maker", "the maker"])
    })
  )

  it.effect("what a store tells in the middle of what it is asked comes when it has done that", () =>
    Effect.gen(function* () {
      const memory = new MemoryLeases(yield* timekeeper)
      let inside = 0
      let deepest = 0
      const ask = <A>(f: () => A) =>
        Effect.sync(() => {
          deepest = Math.max(deepest, ++inside)
          try {
            return f()
          } finally {
            inside--
          }
        })
      const store: LeaseStore.LeaseStoreShape = {
        acquire: (request) => ask(() => memory.acquire(request)),
        renew: (request) => ask(() => memory.renew(request)),
        release: (request) => ask(() => memory.release(request)),
        watch: (name, freed) => Effect.asVoid(Effect.sync(() => memory.watch(name, freed)))
      }
      const one = yield* DistributedMutex.make({}, store)
      const other = yield* DistributedMutex.make({}, store)
      const held = yield* Effect.makeLatch()
      const holder = yield* Effect.fork(one.withLock("a")(held.await))
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      const waiter = yield* Effect.fork(other.withLock("a")(Effect.succeed("had it")))
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* held.open
      yield* Fiber.join(holder)
      assert.strictEqual(yield* Fiber.join(waiter), "had it")
      assert.strictEqual(deepest, 1)
    })
  )
})

describe("what works with a lease", () => {
  const locked = Effect.flatMap(
    Effect.flatMap(timekeeper, (time) => Effect.sync(() => new MemoryLeases(time))),
    (memory) =>
      DistributedMutex.make(
        {},
        LeaseStore.fromPromises({
          acquire: async (request) => memory.acquire(request),
          renew: async (request) => memory.renew(request),
          release: async (request) => memory.release(request),
          watch: async (name, freed) => memory.watch(name, freed)
        })
      )
  )

  it("leaves its caller what it has set, and nothing else", async () => {
    const ref = FiberRef.unsafeMake("before")
    const other = FiberRef.unsafeMake(0)
    for (const wait of [Effect.void, Effect.sleep(1)]) {
      const program = Effect.gen(function* () {
        const mutex = yield* locked
        yield* FiberRef.set(other, 1)
        yield* mutex.withLock("a")(Effect.zipRight(wait, FiberRef.set(ref, "set")))
        const after = [yield* FiberRef.get(ref), yield* FiberRef.get(other)]
        yield* mutex.withLock("a")(wait)
        assert.deepStrictEqual([yield* FiberRef.get(ref), yield* FiberRef.get(other)], after)
        // What was set in between by what has failed counts as well.
        yield* Effect.exit(mutex.withLock("a")(Effect.zipRight(FiberRef.set(ref, "failed"), Effect.fail("it"))))
        return [...after, yield* FiberRef.get(ref)]
      })
      assert.deepStrictEqual(await Effect.runPromise(program), ["set", 1, "failed"])
    }
  })

  it("can be as deep inside itself as other effects can", async () => {
    const deep = (lease: DistributedMutex.Lease, levels: number): Effect.Effect<number, unknown> =>
      levels === 0
        ? Effect.succeed(0)
        : lease.guard(Effect.suspend(() => Effect.map(deep(lease, levels - 1), (n) => n + 1)))
    const program = Effect.flatMap(locked, (mutex) => mutex.withLock("a", (lease) => deep(lease, 1000)))
    assert.strictEqual(await Effect.runPromise(program), 1000)
  })

  it("is interrupted with its caller, whether it has begun to wait or not", async () => {
    const program = Effect.gen(function* () {
      const mutex = yield* locked
      const log: Array<string> = []
      const body = Effect.onInterrupt(
        Effect.suspend(() => (log.push("begun"), Effect.never)),
        () => Effect.sync(() => log.push("interrupted"))
      )
      const fiber = yield* Effect.fork(mutex.withLock("a")(body))
      while (log.length === 0) yield* Effect.sleep(1)
      const exit = yield* Fiber.interrupt(fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      assert.deepStrictEqual(log, ["begun", "interrupted"])
      return mutex.stats
    })
    assert.deepStrictEqual(await Effect.runPromise(Effect.flatten(program)), { held: 0, waiting: 0 })
  })
})
