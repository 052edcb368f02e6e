import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Effects from "effect-concurrency"
import { Lease, Mutex, Semaphore } from "effect-concurrency/promise"
import { settle } from "../laws/skins.js"
import { type Instance, permitWaitLaws } from "./permitWaits.js"
import { gate } from "../utils/gate.js"
import { rejectionOf } from "../utils/rejection.js"

const taken = (permits: number, of: number) => {
  const semaphore = new Semaphore(of)
  assert.isTrue(semaphore.tryTake(permits))
  return semaphore
}

const subject = (name: string, call: (semaphore: Semaphore) => Instance["call"]) =>
  permitWaitLaws({
    name: `Semaphore.${name}`,
    where: name === "with" || name === "wrap" ? "Semaphore.run" : `Semaphore.${name}`,
    make: () => {
      const semaphore = taken(1, 1)
      return { call: call(semaphore), open: () => void semaphore.release(1), stats: () => semaphore.stats() }
    }
  })

subject("run", (semaphore) => (body, options) => semaphore.run(body, options))
subject("with", (semaphore) => (body, options) => semaphore.with(body, options))
subject("acquire", (semaphore) => async (body, options) => {
  const lease = await semaphore.acquire(1, options)
  body()
  lease.release()
})
subject("take", (semaphore) => async (body, options) => {
  assert.strictEqual(await semaphore.take(1, options), 1)
  body()
  semaphore.release(1)
})
subject("wrap", (semaphore) => (body, options) => semaphore.wrap(body, options)())

const free = (capacity: number) => ({ capacity, inUse: 0, waiting: 0 })

describe("Semaphore.run", () => {
  it("starts the function before it returns when there are permits", async () => {
    for (const options of [undefined, {}, { permits: 2 }, { priority: 1 }, { timeout: 5 }]) {
      const semaphore = new Semaphore(2)
      let inUse = 0
      const result = semaphore.run(() => {
        inUse = semaphore.stats().inUse
        return "result"
      }, options)
      assert.strictEqual(inUse, options?.permits ?? 1, `with ${JSON.stringify(options)}`)
      assert.instanceOf(result, Promise)
      assert.strictEqual(await result, "result")
      assert.deepStrictEqual(semaphore.stats(), free(2))
    }
  })

  it("holds as many permits as it is told, until what the function returned has settled", async () => {
    const semaphore = new Semaphore(3)
    const { open, opened } = gate()
    const running = semaphore.run(() => opened, { permits: 2 })
    assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 2, waiting: 0 })
    const waiting = semaphore.run(() => semaphore.stats().inUse, { permits: 3 })
    const none = semaphore.run(() => "nothing", { permits: 0, priority: 1 })
    assert.strictEqual(await none, "nothing")
    assert.strictEqual(semaphore.stats().waiting, 1)
    open()
    await running
    assert.strictEqual(await waiting, 3)
    assert.deepStrictEqual(semaphore.stats(), free(3))
  })

  for (const wait of [false, true]) {
    it(`gives back and rejects with the original error when the function throws (${wait ? "queued" : "at once"})`, async () => {
      const error = new Error("original")
      const failing: ReadonlyArray<() => Promise<void>> = [
        () => {
          throw error
        },
        () => Promise.reject(error)
      ]
      for (const f of failing) {
        for (const options of [undefined, { permits: 2 }, { timeout: 1_000 }]) {
          const semaphore = wait ? taken(2, 2) : new Semaphore(2)
          const result = semaphore.run(f, options)
          if (wait) semaphore.release(2)
          assert.strictEqual(await rejectionOf(result), error)
          assert.deepStrictEqual(semaphore.stats(), free(2))
        }
      }
    })
  }

  it("rejects bad input, and changes nothing", async () => {
    const semaphore = taken(1, 2)
    const error = await rejectionOf(semaphore.run(() => assert.fail("runs"), { permits: 3 }))
    assert.instanceOf(error, RangeError)
    assert.strictEqual((error as Error).message, "Semaphore.run: permits must be an integer from 0 to 2, got 3")
    for (const call of [() => semaphore.run(5 as any), () => semaphore.runIfAvailable(undefined as any)]) {
      assert.match(((await rejectionOf(call())) as Error).message, /^Semaphore\.run\w*: f must be a function/)
    }
    assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 1, waiting: 0 })
  })

  it("rejects when a resize makes it impossible, in each form of the request", async () => {
    const semaphore = taken(3, 3)
    const { signal } = new AbortController()
    const calls = [
      semaphore.run(() => assert.fail("runs"), { permits: 3 }),
      semaphore.acquire(3),
      semaphore.acquire(3, { signal, timeout: 1_000 }),
      semaphore.take(3)
    ]
    const fits = semaphore.acquire(2)
    semaphore.resize(2)
    for (const call of calls) {
      const error = await rejectionOf(call)
      assert.instanceOf(error, RangeError)
      assert.match((error as Error).message, /^Semaphore\.resize: .* must be an integer from 0 to 2, got 3$/)
    }
    semaphore.release(3)
    const lease = await fits
    lease.release()
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })
})

describe("Semaphore.runIfAvailable", () => {
  it("runs when the permits are free, and is undefined, running nothing, when they are not", async () => {
    const semaphore = taken(1, 3)
    assert.strictEqual(await semaphore.runIfAvailable(() => semaphore.stats().inUse, { permits: 2 }), 3)
    assert.isUndefined(await semaphore.runIfAvailable(() => assert.fail("runs"), { permits: 3 }))
    const waiting = semaphore.acquire(3)
    assert.isUndefined(await semaphore.runIfAvailable(() => assert.fail("runs")))
    assert.strictEqual(await semaphore.runIfAvailable(() => "urgent", { priority: 1 }), "urgent")
    semaphore.release(1)
    const lease = await waiting
    lease.release()
    assert.deepStrictEqual(semaphore.stats(), free(3))
  })

  it("gives back and rejects with the original error when the function throws", async () => {
    const semaphore = new Semaphore(1)
    const error = new Error("original")
    const failing = semaphore.runIfAvailable(() => {
      throw error
    })
    assert.strictEqual(await rejectionOf(failing), error)
    assert.deepStrictEqual(semaphore.stats(), free(1))
  })
})

describe("Semaphore leases", () => {
  it("are of one permit by default, or of as many as are asked for", async () => {
    const semaphore = new Semaphore(3)
    const one = await semaphore.acquire()
    const two = semaphore.tryAcquire(2)
    assert.instanceOf(one, Lease)
    assert.instanceOf(two, Lease)
    assert.isUndefined(semaphore.tryAcquire())
    assert.strictEqual(semaphore.stats().inUse, 3)
    two!.release()
    assert.strictEqual(semaphore.stats().inUse, 1)
    await one[Symbol.asyncDispose]()
    assert.deepStrictEqual(semaphore.stats(), free(3))
  })

  it("that come late, after a releaseAll, give back nothing", async () => {
    const semaphore = new Semaphore(2)
    const leases = [semaphore.tryAcquire()!, await semaphore.acquire(1, { timeout: 5 })]
    assert.strictEqual(semaphore.releaseAll(), 2)
    const next = await semaphore.acquire(2)
    for (const lease of leases) lease.release()
    assert.deepStrictEqual(semaphore.stats(), { capacity: 2, inUse: 2, waiting: 0 })
    next.release()
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("are not had from tryAcquire before those who wait, except by a higher priority", () => {
    const semaphore = taken(2, 3)
    void semaphore.acquire(2)
    assert.isUndefined(semaphore.tryAcquire())
    assert.isUndefined(semaphore.tryAcquire(1, { priority: 0 }))
    assert.isFalse(semaphore.tryTake(1, { priority: 0 }))
    const lease = semaphore.tryAcquire(1, { priority: 1 })
    assert.instanceOf(lease, Lease)
    lease!.release()
    assert.isTrue(semaphore.tryTake(1, { priority: 1 }))
  })

  it("of a number of permits that cannot be are refused, and nothing changes", async () => {
    const semaphore = new Semaphore(2)
    for (const count of [3, -1, 0.5, NaN]) {
      const error = await rejectionOf(semaphore.acquire(count))
      assert.instanceOf(error, RangeError)
      assert.strictEqual(
        (error as Error).message,
        `Semaphore.acquire: permits must be an integer from 0 to 2, got ${count}`
      )
      assert.throws(() => semaphore.tryAcquire(count), RangeError, "Semaphore.tryAcquire: permits must be")
      assert.throws(() => semaphore.tryTake(count), RangeError, "Semaphore.tryTake: permits must be")
    }
    assert.throws(
      () => semaphore.tryAcquire(1, { priority: NaN }),
      RangeError,
      "Semaphore.tryAcquire: priority must be"
    )
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })
})

describe("Semaphore.wrap", () => {
  it("runs each call with permits, with its this and its arguments", async () => {
    const semaphore = new Semaphore(4)
    let running = 0
    let peak = 0
    const counter = {
      base: 10,
      add: semaphore.wrap(
        async function (this: { base: number }, n: number) {
          peak = Math.max(peak, ++running)
          await Promise.resolve()
          running--
          return this.base + n
        },
        { permits: 2 }
      )
    }
    assert.deepStrictEqual(await Promise.all([1, 2, 3, 4, 5].map((n) => counter.add(n))), [11, 12, 13, 14, 15])
    assert.strictEqual(peak, 2)
    assert.deepStrictEqual(semaphore.stats(), free(4))
  })

  it("refuses what is no function", () => {
    const semaphore = new Semaphore(1)
    assert.throws(
      () => semaphore.wrap(undefined as any),
      TypeError,
      "Semaphore.wrap: f must be a function, got undefined"
    )
  })
})

describe("Semaphore.wrapIterator", () => {
  /** Counts how many of its `next` run at once. */
  const counted = () => {
    const count = { running: 0, peak: 0, returned: 0 }
    let i = 0
    const iterator: AsyncIterator<number> = {
      next: async () => {
        count.peak = Math.max(count.peak, ++count.running)
        await Promise.resolve()
        count.running--
        return i < 5 ? { done: false, value: i++ } : { done: true, value: undefined }
      },
      return: async (value) => {
        count.returned++
        return { done: true, value }
      }
    }
    return { count, iterator }
  }

  it("runs each next with a permit", async () => {
    const semaphore = new Semaphore(2)
    const { count, iterator } = counted()
    const wrapped = semaphore.wrapIterator(iterator)
    const results = await Promise.all(Array.from({ length: 7 }, () => wrapped.next()))
    assert.deepStrictEqual(
      results.map(({ value }) => value),
      [0, 1, 2, 3, 4, undefined, undefined]
    )
    assert.strictEqual(count.peak, 2)
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("waits for a permit, and holds none between two values", async () => {
    const semaphore = taken(1, 1)
    const wrapped = semaphore.wrapIterator(["a", "b"].values())
    const first = wrapped.next()
    assert.strictEqual(semaphore.stats().waiting, 1)
    semaphore.release(1)
    assert.deepStrictEqual(await first, { done: false, value: "a" })
    assert.deepStrictEqual(semaphore.stats(), free(1))
    const rest: Array<string> = []
    for await (const value of wrapped) rest.push(value)
    assert.deepStrictEqual(rest, ["b"])
  })

  it("closes what it wraps when it is left early, with or without a way to", async () => {
    const semaphore = new Semaphore(1)
    const { count, iterator } = counted()
    for await (const value of semaphore.wrapIterator(iterator)) if (value === 1) break
    assert.strictEqual(count.returned, 1)
    for await (const value of semaphore.wrapIterator({ next: () => ({ done: false, value: 1 }) })) {
      assert.strictEqual(value, 1)
      break
    }
    assert.deepStrictEqual(semaphore.stats(), free(1))
  })

  it("gives back and rejects with the original error when next throws", async () => {
    const semaphore = new Semaphore(1)
    const error = new Error("original")
    const wrapped = semaphore.wrapIterator({
      next: () => {
        throw error
      }
    })
    assert.strictEqual(await rejectionOf(wrapped.next()), error)
    assert.deepStrictEqual(semaphore.stats(), free(1))
  })

  it("refuses what is no iterator", () => {
    const semaphore = new Semaphore(1)
    for (const bad of [undefined, {}, [1]] as ReadonlyArray<any>) {
      assert.throws(
        () => semaphore.wrapIterator(bad),
        TypeError,
        "Semaphore.wrapIterator: iterator.next must be a function"
      )
    }
  })
})

describe("Semaphore.map", () => {
  it("works on as many at a time as there are permits, and gives results in the order of the inputs", async () => {
    for (const [permits, each, most] of [
      [3, 1, 3],
      [4, 2, 2]
    ] as const) {
      const semaphore = new Semaphore(permits)
      let running = 0
      let peak = 0
      const work = async (n: number, index: number) => {
        peak = Math.max(peak, ++running)
        for (let i = 0; i < 20 * (10 - n); i++) await Promise.resolve()
        running--
        return `${index}:${n}`
      }
      const results = await semaphore.map([1, 9, 3, 7, 5, 2], work, { permits: each })
      assert.deepStrictEqual(results, ["0:1", "1:9", "2:3", "3:7", "4:5", "5:2"])
      assert.strictEqual(peak, most)
      assert.deepStrictEqual(semaphore.stats(), free(permits))
    }
  })

  it("takes sync and async iterables, promises among the inputs, and nothing at all", async () => {
    const semaphore = new Semaphore(2)
    async function* source() {
      yield 1
      await Promise.resolve()
      yield 2
    }
    const double = (n: number) => n * 2
    assert.deepStrictEqual(await semaphore.map(source(), double), [2, 4])
    assert.deepStrictEqual(await semaphore.map(new Set([1, 2, 3]), double), [2, 4, 6])
    assert.deepStrictEqual(await semaphore.map([Promise.resolve(1), 2], double), [2, 4])
    assert.deepStrictEqual(await semaphore.map([], double), [])
    assert.deepStrictEqual(await semaphore.map("ab", (letter) => letter.toUpperCase()), ["A", "B"])
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("asks for an input only when there is a permit for it", async () => {
    const semaphore = taken(1, 2)
    let asked = 0
    function* source() {
      while (asked < 4) yield asked++
    }
    const gates = Array.from({ length: 4 }, gate)
    const result = semaphore.map(source(), (n) => gates[n]!.opened)
    await settle()
    assert.strictEqual(asked, 1)
    gates[0]!.open()
    await settle()
    assert.strictEqual(asked, 2)
    semaphore.release(1)
    await settle()
    assert.strictEqual(asked, 3)
    for (const each of gates) each.open()
    await result
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("starts no more when a call fails, waits for those that run, closes the input, and rejects with the error", async () => {
    const semaphore = new Semaphore(2)
    const { open, opened } = gate()
    const error = new Error("original")
    const started: Array<number> = []
    let closed = false
    let ended = false
    function* source() {
      try {
        for (let i = 0; i < 10; i++) yield i
      } finally {
        closed = true
      }
    }
    const result = semaphore.map(source(), async (n) => {
      started.push(n)
      if (n === 1) throw error
      await opened
      return n
    })
    const rejection = rejectionOf(result).finally(() => (ended = true))
    await settle()
    assert.deepStrictEqual([started, closed, ended], [[0, 1], true, false])
    open()
    assert.strictEqual(await rejection, error)
    assert.deepStrictEqual(started, [0, 1])
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("rejects with an AggregateError of several errors", async () => {
    const semaphore = new Semaphore(2)
    const errors = [new Error("first"), new Error("second")]
    const { open, opened } = gate()
    const result = rejectionOf(semaphore.map([0, 1, 2], (n) => opened.then(() => Promise.reject(errors[n]!))))
    open()
    const error = await result
    assert.instanceOf(error, AggregateError)
    assert.deepStrictEqual((error as AggregateError).errors, errors)
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  // Failure looks like one error where two calls have failed: the second is never heard of.
  it("counts each call that fails, also with equal texts; one error object that several reject with is one", async () => {
    const shared = new Error("the connection is closed")
    for (const [reasons, errors] of [
      [
        ["busy", "busy", "ok"],
        ["busy", "busy"]
      ],
      [
        [undefined, "ok", undefined],
        [undefined, undefined]
      ],
      [
        [shared, "busy", shared],
        [shared, "busy"]
      ]
    ]) {
      const semaphore = new Semaphore(3)
      const { open, opened } = gate()
      const work = (n: number) => opened.then(() => (reasons![n] === "ok" ? n : Promise.reject(reasons![n] as any)))
      const result = rejectionOf(semaphore.map([0, 1, 2], work))
      open()
      const error = await result
      assert.instanceOf(error, AggregateError)
      assert.deepStrictEqual((error as AggregateError).errors, errors)
      assert.strictEqual((error as AggregateError).message, "Semaphore.map: 2 calls failed")
      assert.deepStrictEqual(semaphore.stats(), free(3))
    }
  })

  it("a call that rejects with the reason of the abort, be it a text or nothing, has not failed beside it", async () => {
    for (const reason of ["reason", null, 0]) {
      const semaphore = new Semaphore(2)
      const controller = new AbortController()
      const { signal } = controller
      const work = () => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      const rejection = rejectionOf(semaphore.map([0, 1, 2], work, { signal }))
      await settle()
      controller.abort(reason)
      assert.strictEqual(await rejection, reason)
      assert.deepStrictEqual(semaphore.stats(), free(2))
    }
  })

  it("rejects with the error of an input that rejects, or of an iterator that throws", async () => {
    const semaphore = new Semaphore(2)
    const error = new Error("input")
    assert.strictEqual(await rejectionOf(semaphore.map([1, Promise.reject(error)], (n) => n)), error)
    function* broken() {
      yield 1
      throw error
    }
    assert.strictEqual(await rejectionOf(semaphore.map(broken(), (n) => n)), error)
    assert.deepStrictEqual(semaphore.stats(), free(2))
  })

  it("rejects under a signal that is aborted already, or with bad options, and asks for nothing", async () => {
    const semaphore = taken(1, 2)
    const reason = new Error("reason")
    let asked = false
    function* source() {
      asked = true
      yield 1
    }
    const map = (options: any) => rejectionOf(semaphore.map(source(), () => assert.fail("runs"), options))
    assert.strictEqual(await map({ signal: AbortSignal.abort(reason) }), reason)
    const message = async (options: unknown) => ((await map(options)) as Error).message
    assert.match(await message({ permits: 3 }), /^Semaphore\.map: permits must be an integer from 0 to 2, got 3$/)
    assert.match(await message({ timeout: -1 }), /^Semaphore\.map: timeout must be/)
    assert.match(await message({ priority: NaN }), /^Semaphore\.map: priority must be/)
    assert.deepStrictEqual([asked, semaphore.stats()], [false, { capacity: 2, inUse: 1, waiting: 0 }])
  })

  it("rejects with the reason of an abort while it waits for a permit, when those that run have ended", async () => {
    const semaphore = new Semaphore(1)
    const controller = new AbortController()
    const { open, opened } = gate()
    const started: Array<number> = []
    const work = (n: number) => {
      started.push(n)
      return opened
    }
    let ended = false
    const rejection = rejectionOf(semaphore.map([0, 1, 2], work, { signal: controller.signal })).finally(
      () => (ended = true)
    )
    await settle()
    controller.abort("reason")
    await settle()
    assert.deepStrictEqual([started, ended, semaphore.stats()], [[0], false, { capacity: 1, inUse: 1, waiting: 0 }])
    open()
    assert.strictEqual(await rejection, "reason")
    assert.deepStrictEqual([started, semaphore.stats()], [[0], free(1)])
  })

  // Failure looks like a generator whose `finally` never runs: a file that stays open.
  it("closes its input when an abort ends its wait for a permit", async () => {
    const semaphore = new Semaphore(1)
    const controller = new AbortController()
    let closed = false
    function* source() {
      try {
        yield 1
        yield 2
      } finally {
        closed = true
      }
    }
    const { open, opened } = gate()
    const rejection = rejectionOf(semaphore.map(source(), () => opened, { signal: controller.signal }))
    await settle()
    controller.abort("reason")
    open()
    assert.strictEqual(await rejection, "reason")
    assert.isTrue(closed)
  })

  // Failure looks like a map that hangs for as long as somebody else keeps the permits.
  it("rejects when a call has failed, also when others have taken the permit for the next", async () => {
    const semaphore = new Semaphore(1)
    const error = new Error("original")
    const { open, opened } = gate()
    const rejection = rejectionOf(
      semaphore.map([0, 1], async () => {
        await opened
        throw error
      })
    )
    await settle()
    const other = semaphore.acquire(1, { priority: 1 })
    open()
    const lease = await other
    let seen: unknown
    void rejection.then((reason) => (seen = reason))
    await settle()
    const before = seen
    lease.release()
    await rejection
    assert.strictEqual(before, error)
    assert.deepStrictEqual(semaphore.stats(), free(1))
  })

  it("refuses inputs that are no iterable, and what is no function, and asks for nothing", async () => {
    const semaphore = new Semaphore(1)
    for (const inputs of [undefined, null, 5, {}] as ReadonlyArray<any>) {
      const error = await rejectionOf(semaphore.map(inputs, () => 1))
      assert.instanceOf(error, TypeError)
      assert.match((error as Error).message, /^Semaphore\.map: inputs must be an iterable or an async iterable, got /)
    }
    const error = await rejectionOf(semaphore.map([1], undefined as any))
    assert.strictEqual((error as Error).message, "Semaphore.map: f must be a function, got undefined")
    assert.deepStrictEqual(semaphore.stats(), free(1))
  })
})

describe("Semaphore.from", () => {
  it("is the semaphore of an Effect program: both queue behind each other", async () => {
    const effect = Effects.Semaphore.makeUnsafe(1)
    const semaphore = Semaphore.from(effect)
    const log: Array<string> = []
    const lease = await semaphore.acquire()
    assert.strictEqual(Effect.runSync(effect.stats).inUse, 1)
    const waiting = [
      Effect.runPromise(effect.withPermit(Effect.sync(() => log.push("fiber")))),
      semaphore.run(() => log.push("plain")),
      Effect.runPromise(effect.withPermits(1, { priority: 1 })(Effect.sync(() => log.push("urgent fiber"))))
    ]
    assert.strictEqual(semaphore.stats().waiting, 3)
    lease.release()
    await Promise.all(waiting)
    assert.deepStrictEqual(log, ["urgent fiber", "fiber", "plain"])
  })

  it("is one semaphore with another view of it", () => {
    const semaphore = new Semaphore(2)
    const view = Semaphore.from(Semaphore.from(semaphore))
    assert.instanceOf(view, Semaphore)
    view.resize(3)
    assert.isTrue(view.tryTake())
    assert.deepStrictEqual(semaphore.stats(), { capacity: 3, inUse: 1, waiting: 0 })
    assert.strictEqual(semaphore.release(), 3)
  })

  for (const bad of [undefined, null, {}, 5, "semaphore", new Mutex()] as ReadonlyArray<any>) {
    it(`refuses ${String(bad)}, which is no semaphore`, () => {
      assert.throws(() => Semaphore.from(bad), TypeError, "Semaphore.from: argument must be a Semaphore, got")
    })
  }
})
