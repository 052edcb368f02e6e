/** What debounce and throttle promise in both skins, on a clock that only the test moves. */
import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Effect, Exit, ManagedRuntime, Scope, TestClock, TestContext } from "effect"
import { Debounce, Throttle } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { type Attempt, alternate, fork, settle, start } from "./skins.js"

type Kind = "debounce" | "throttle"

interface Options {
  readonly edges?: "leading" | "trailing" | "both"
  readonly maxWait?: number
  readonly key?: (text: string) => unknown
  readonly onClose?: "flush" | "cancel"
}

interface Driver {
  call(text: string): Attempt<string>
  trigger(text: string): boolean
  flush(): Attempt<void>
  flushKey(key: unknown): Attempt<void>
  cancel(): number
  cancelKey(key: unknown): number
  pending(): number
  stats(): Debounce.Stats
  close(): Attempt<void>
}

interface World extends Driver {
  /** What the runs were given, in order, and when each began. */
  readonly runs: ReadonlyArray<string>
  /** Failures that nobody heard of. */
  readonly reports: ReadonlyArray<string>
  /** From now on a run goes on until this is called; it then ends, or fails. */
  readonly slowly: () => { readonly end: (error?: unknown) => Promise<void> }
  readonly advance: (ms: number) => Promise<void>
}

/** Runs an effect that does not wait. */
const now = <A>(effect: Effect.Effect<A, any>): A => {
  const attempt = fork(effect)
  if (attempt.state === "failed") throw attempt.error
  return attempt.value
}

type Body = (text: string) => string | Promise<string>

const report = (reports: Array<string>, message: string, error: unknown) => void reports.push(`${message}: ${error}`)

type Instance = Debounce.Debounce<[string], string, unknown> | Throttle.Throttle<[string], string, unknown>

const effectDriver = (self: Instance): Driver => ({
  call: (text) => fork(self.call(text)),
  trigger: (text) => now(self.trigger(text)),
  flush: () => fork(self.flush),
  flushKey: (key) => fork(self.flushKey(key)),
  cancel: () => now(self.cancel),
  cancelKey: (key) => now(self.cancelKey(key)),
  pending: () => now(self.pending),
  stats: () => now(self.stats),
  close: () => fork(self.close)
})

const promiseDriver = (self: Promises.Debounced<[string], string> | Promises.Throttled<[string], string>): Driver => ({
  call: (text) => start((wait) => self.with(wait)(text)),
  trigger: (text) => self.trigger(text),
  flush: () => start((wait) => self.flush(wait)),
  flushKey: (key) => start((wait) => self.flushKey(key, wait)),
  cancel: () => self.cancel(),
  cancelKey: (key) => self.cancelKey(key),
  pending: () => self.pending,
  stats: () => self.stats(),
  close: () => start((wait) => self.close(wait))
})

interface Made {
  readonly driver: Driver
  readonly advance: (ms: number) => Promise<unknown>
}

const interval = 100

export interface PacingSkin {
  readonly name: string
  readonly make: (kind: Kind, body: Body, options: Options, reports: Array<string>) => Promise<Made>
  readonly dispose: () => Promise<void>
}

const effectSkin = (name: string, driverOf: (instance: Instance, kind: Kind) => Driver): PacingSkin => {
  const runtime = ManagedRuntime.make(TestContext.TestContext)
  const scopes: Array<Scope.CloseableScope> = []
  return {
    name,
    make: async (kind, body, options, reports) => {
      const scope = await runtime.runPromise(Scope.make())
      scopes.push(scope)
      const f = (text: string) => Effect.tryPromise({ try: async () => body(text), catch: (error) => error })
      const all = {
        ...options,
        onError: ({ cause, message }: Debounce.Unhandled) =>
          Effect.sync(() => report(reports, message, (cause as { error?: unknown }).error))
      }
      const make: Effect.Effect<Instance, never, Scope.Scope> =
        kind === "debounce" ? Debounce.make(f, { ...all, wait: interval }) : Throttle.make(f, { ...all, interval })
      return {
        driver: driverOf(await runtime.runPromise(Scope.extend(make, scope)), kind),
        advance: (ms) => runtime.runPromise(TestClock.adjust(ms))
      }
    },
    dispose: async () => {
      for (const scope of scopes.splice(0)) void Effect.runFork(Scope.close(scope, Exit.void))
      await settle()
    }
  }
}

const view = (instance: Instance, kind: Kind): Driver =>
  promiseDriver(kind === "debounce" ? Promises.debounce.from(instance as any) : Promises.throttle.from(instance as any))

export const pacingSkins: ReadonlyArray<PacingSkin> = [
  effectSkin("effect", effectDriver),
  {
    name: "promise",
    make: async (kind, body, options, reports) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
      const all = {
        ...options,
        onError: ({ error, message }: Promises.Unhandled) => report(reports, message, error)
      }
      return {
        driver: promiseDriver(
          kind === "debounce" ? Promises.debounce(body, interval, all) : Promises.throttle(body, interval, all)
        ),
        advance: (ms) => vi.advanceTimersByTimeAsync(ms)
      }
    },
    dispose: async () => {
      vi.useRealTimers()
    }
  },
  effectSkin("mixed", (instance, kind) => alternate(effectDriver(instance), view(instance, kind)))
]

const world = async (skin: PacingSkin, kind: Kind, options: Options = {}): Promise<World> => {
  const runs: Array<string> = []
  const reports: Array<string> = []
  let gate: Promise<void> | undefined
  let inside = 0
  const body = async (text: string) => {
    runs.push(text)
    const mine = gate
    if (options.key === undefined) assert.strictEqual(++inside, 1, "runs of one key overlap")
    try {
      await mine
    } finally {
      inside--
    }
    if (text === "fails") throw "oops"
    return `ran ${text}`
  }
  const { advance, driver } = await skin.make(kind, body, options, reports)
  return {
    ...driver,
    runs,
    reports,
    slowly: () => {
      let open!: () => void
      let fail!: (error: unknown) => void
      const mine = new Promise<void>((resolve, reject) => {
        open = resolve
        fail = reject
      })
      mine.catch(() => {})
      gate = mine
      return {
        end: async (error) => {
          if (gate === mine) gate = undefined
          if (error === undefined) open()
          else fail(error)
          await settle()
        }
      }
    },
    advance: async (ms) => {
      await settle()
      await advance(ms)
      await settle()
    }
  }
}

const states = (attempts: ReadonlyArray<Attempt<unknown>>) => attempts.map(({ state }) => state)
const values = (attempts: ReadonlyArray<Attempt<unknown>>) => attempts.map(({ value }) => value)
const errorOf = (attempt: Attempt<unknown>) => {
  const { _tag, reason } = attempt.error as { readonly _tag: string; readonly reason: string }
  return `${_tag} ${reason}`
}

const cancelled = { debounce: "DebounceCancelled cancelled", throttle: "ThrottleCancelled cancelled" }
const closed = { debounce: "DebounceCancelled closed", throttle: "ThrottleCancelled closed" }

/** With a real clock, fake timers may be left over from a failed test. */
const laws = (skin: PacingSkin, kind: Kind, body: (make: (options?: Options) => Promise<World>) => void) =>
  describe(`${kind}, ${skin.name}`, () => {
    beforeEach(() => void vi.useRealTimers())
    afterEach(() => skin.dispose())
    body((options) => world(skin, kind, options))
  })

/** What both promise, of a run that begins after 100 ms. */
const shared = (skin: PacingSkin, kind: Kind) =>
  laws(skin, kind, (makeAny) => {
    const make = (options: Options = {}) => makeAny({ edges: "trailing", ...options })

    it("one caller that goes does not hurt the others, nor the run", async () => {
      const self = await make()
      const calls = [self.call("a"), self.call("b"), self.call("c")]
      await self.advance(50)
      calls[2]!.cancel()
      await self.advance(50)
      assert.deepStrictEqual(states(calls), ["done", "done", "cancelled"])
      assert.deepStrictEqual(self.runs, ["c"])
    })

    it("a caller that goes while the run is in progress does not end it", async () => {
      const self = await make()
      const { end } = self.slowly()
      const calls = [self.call("a"), self.call("b")]
      await self.advance(100)
      calls[0]!.cancel()
      await settle()
      assert.deepStrictEqual([states(calls), self.stats().running], [["cancelled", "waiting"], 1])
      await end()
      assert.strictEqual(calls[1]!.value, "ran b")
    })

    it("a run whose callers have all gone is made; its failure is reported, once", async () => {
      const self = await make()
      const call = self.call("fails")
      await settle()
      call.cancel()
      await settle()
      assert.strictEqual(self.pending(), 1)
      await self.advance(99)
      assert.deepStrictEqual(self.runs, [])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["fails"])
      assert.deepStrictEqual(self.reports, ["it failed, and nobody waits for it: oops"])
    })

    it("a failure is that of every caller, and not reported", async () => {
      const self = await make()
      const calls = [self.call("a"), self.call("fails")]
      await self.advance(100)
      assert.deepStrictEqual(
        calls.map(({ error }) => error),
        ["oops", "oops"]
      )
      assert.deepStrictEqual(self.reports, [])
      // And it works again.
      const again = self.call("a")
      await self.advance(100)
      assert.strictEqual(again.value, "ran a")
    })

    it("who triggers does not wait, and a failure of theirs is reported", async () => {
      const self = await make()
      assert.isTrue(self.trigger("a"))
      assert.isTrue(self.trigger("fails"))
      assert.strictEqual(self.pending(), 2)
      await self.advance(100)
      assert.deepStrictEqual([self.runs, self.reports], [["fails"], ["it failed, and nobody waits for it: oops"]])
    })

    it("who waits and who triggers share a run, and the one who waits has the failure", async () => {
      const self = await make()
      const call = self.call("a")
      await settle()
      self.trigger("fails")
      await self.advance(100)
      assert.deepStrictEqual([call.error, self.reports], ["oops", []])
    })

    it("keys have runs of their own, which do not wait for each other, and are forgotten", async () => {
      const self = await make({ key: (text) => text[0] })
      const calls = ["a1", "b1", "a2"].map((text) => self.call(text))
      await settle()
      assert.deepStrictEqual(self.stats(), { keys: 2, pending: 3, running: 0, isClosed: false })
      const { end } = self.slowly()
      await self.advance(100)
      assert.deepStrictEqual([[...self.runs].sort(), self.stats().running], [["a2", "b1"], 2])
      await end()
      assert.deepStrictEqual(values(calls), ["ran a2", "ran b1", "ran a2"])
      await self.advance(100)
      assert.strictEqual(self.stats().keys, 0)
    })

    it("flush begins at once, and waits until what it began, and what was in progress, has ended", async () => {
      const self = await make()
      const first = self.slowly()
      const one = self.call("a")
      await self.advance(100)
      const two = self.call("b")
      await settle()
      const flushed = self.flush()
      await settle()
      assert.deepStrictEqual([self.runs, flushed.state], [["a"], "waiting"])
      const second = self.slowly()
      await first.end()
      assert.deepStrictEqual(
        [self.runs, one.state, two.state, flushed.state],
        [["a", "b"], "done", "waiting", "waiting"]
      )
      await second.end()
      assert.deepStrictEqual([two.value, flushed.state], ["ran b", "done"])
    })

    it("flush of nothing is done; it does not fail, and one that is interrupted leaves the runs alone", async () => {
      const self = await make()
      const nothing = self.flush()
      await settle()
      assert.strictEqual(nothing.state, "done")
      const call = self.call("fails")
      await settle()
      const flushed = [self.flush(), self.flush()]
      flushed[1]!.cancel()
      await settle()
      assert.deepStrictEqual([states(flushed), call.error], [["done", "cancelled"], "oops"])
      const { end } = self.slowly()
      const other = self.call("a")
      await settle()
      const gone = self.flush()
      await settle()
      gone.cancel()
      await settle()
      await end()
      assert.deepStrictEqual([gone.state, other.value], ["cancelled", "ran a"])
    })

    it("flush and cancel of one key leave the others alone", async () => {
      const self = await make({ key: (text) => text[0] })
      const [a, b, c] = [self.call("a"), self.call("b"), self.call("c")]
      await settle()
      const flushed = self.flushKey("a")
      await settle()
      assert.deepStrictEqual([self.runs, flushed.state, a.value, b.state], [["a"], "done", "ran a", "waiting"])
      assert.deepStrictEqual([self.cancelKey("b"), self.cancelKey("z")], [1, 0])
      await settle()
      assert.strictEqual(errorOf(b), cancelled[kind])
      await self.advance(100)
      assert.deepStrictEqual([self.runs, c.value], [["a", "c"], "ran c"])
    })

    it("cancel fails who waits for a run that has not begun, and leaves the one in progress alone", async () => {
      const self = await make()
      const { end } = self.slowly()
      const running = self.call("a")
      await self.advance(100)
      const [one, two] = [self.call("b"), self.call("c")]
      await settle()
      assert.deepStrictEqual([self.pending(), self.cancel(), self.pending()], [2, 2, 0])
      await settle()
      assert.deepStrictEqual([errorOf(one), errorOf(two)], [cancelled[kind], cancelled[kind]])
      await end()
      assert.strictEqual(running.value, "ran a")
      await self.advance(500)
      assert.deepStrictEqual([self.runs, self.reports, self.stats().keys], [["a"], [], 0])
    })

    it("a flush whose calls are cancelled is done", async () => {
      const self = await make()
      const { end } = self.slowly()
      self.trigger("a")
      await self.advance(100)
      self.trigger("b")
      const flushed = self.flush()
      await settle()
      self.cancel()
      await end()
      assert.deepStrictEqual([flushed.state, self.runs], ["done", ["a"]])
    })

    it("closing runs what is pending, or drops it; it waits for what runs, and nothing is taken any more", async () => {
      for (const onClose of ["flush", "cancel"] as const) {
        const self = await make({ onClose })
        const { end } = self.slowly()
        const running = self.call("a")
        await self.advance(100)
        const waiting = self.call("b")
        await settle()
        const closing = self.close()
        await settle()
        assert.strictEqual(closing.state, "waiting")
        const late = self.call("c")
        await settle()
        assert.strictEqual(errorOf(late), closed[kind])
        assert.isFalse(self.trigger("d"))
        await end()
        assert.deepStrictEqual([closing.state, running.value], ["done", "ran a"])
        if (onClose === "flush") assert.strictEqual(waiting.value, "ran b")
        else assert.strictEqual(errorOf(waiting), closed[kind])
        assert.deepStrictEqual(self.runs, onClose === "flush" ? ["a", "b"] : ["a"])
        assert.deepStrictEqual(self.stats(), { keys: 0, pending: 0, running: 0, isClosed: true })
        await skin.dispose()
      }
    })

    it("closing waits until a failure that nobody heard of is reported", async () => {
      const self = await make()
      self.trigger("fails")
      const closing = self.close()
      while (closing.state === "waiting") await Promise.resolve()
      assert.strictEqual(self.reports.length, 1)
    })

    it("a key that throws is the caller's error, and changes nothing", async () => {
      const self = await make({
        key: (text) => {
          if (text === "bad") throw "no key"
          return text
        }
      })
      const calls = [self.call("bad"), self.call("good")]
      await self.advance(100)
      assert.deepStrictEqual([calls[0]!.error, calls[1]!.value, self.runs], ["no key", "ran good", ["good"]])
      assert.throws(() => self.trigger("bad"))
    })
  })

const debounceLaws = (skin: PacingSkin) =>
  laws(skin, "debounce", (make) => {
    it("runs once, when there was no call for the wait, with the latest arguments; every caller has the result", async () => {
      const self = await make()
      const calls = [self.call("a")]
      await self.advance(60)
      calls.push(self.call("b"), self.call("c"))
      await self.advance(99)
      assert.deepStrictEqual([self.runs, self.pending()], [[], 3])
      await self.advance(1)
      assert.deepStrictEqual([self.runs, values(calls)], [["c"], ["ran c", "ran c", "ran c"]])
      assert.deepStrictEqual(self.stats(), { keys: 0, pending: 0, running: 0, isClosed: false })
      const again = self.call("d")
      await self.advance(99)
      assert.strictEqual(again.state, "waiting")
      await self.advance(1)
      assert.strictEqual(again.value, "ran d")
    })

    it("maxWait: puts a run off for so long at most, seen from its first call", async () => {
      const self = await make({ maxWait: 250 })
      const calls: Array<Attempt<string>> = []
      for (let i = 0; i < 5; i++) {
        calls.push(self.call(`at ${i * 60}`))
        await self.advance(i === 4 ? 9 : 60)
      }
      assert.deepStrictEqual(self.runs, [])
      await self.advance(1) // 250 after the first
      assert.deepStrictEqual([self.runs, values(calls)], [["at 240"], calls.map(() => "ran at 240")])
      const next = self.call("at 250")
      await self.advance(99)
      assert.strictEqual(next.state, "waiting")
      await self.advance(1)
      assert.strictEqual(next.value, "ran at 250")
    })

    it("leading: runs with the first call, and covers those until there was none for the wait", async () => {
      const self = await make({ edges: "leading" })
      const { end } = self.slowly()
      const calls = [self.call("a")]
      await settle()
      assert.deepStrictEqual(self.runs, ["a"])
      await self.advance(50)
      calls.push(self.call("b"))
      await end()
      await self.advance(99)
      calls.push(self.call("c"))
      await settle()
      assert.deepStrictEqual([self.runs, values(calls)], [["a"], ["ran a", "ran a", "ran a"]])
      assert.strictEqual(self.stats().keys, 1)
      await self.advance(99)
      assert.strictEqual(self.stats().keys, 1)
      await self.advance(1)
      assert.strictEqual(self.stats().keys, 0)
      const next = self.call("d")
      await settle()
      assert.strictEqual(next.value, "ran d")
    })

    it("leading: a failure is that of all whom the run covers, also when it has ended", async () => {
      const self = await make({ edges: "leading" })
      const first = self.call("fails")
      await self.advance(10)
      const second = self.call("a")
      await settle()
      assert.deepStrictEqual([first.error, second.error, self.runs, self.reports], ["oops", "oops", ["fails"], []])
    })

    it("both: runs with the first call, and for the later ones when they have stopped", async () => {
      const self = await make({ edges: "both" })
      const first = self.call("a")
      await settle()
      assert.strictEqual(first.value, "ran a")
      await self.advance(50)
      const later = [self.call("b"), self.call("c")]
      await self.advance(99)
      assert.deepStrictEqual(self.runs, ["a"])
      await self.advance(1)
      assert.deepStrictEqual(
        [self.runs, values(later)],
        [
          ["a", "c"],
          ["ran c", "ran c"]
        ]
      )
      // A single call has no trailing run.
      const alone = self.call("d")
      await self.advance(500)
      assert.deepStrictEqual([self.runs, alone.value], [["a", "c", "d"], "ran d"])
    })

    it("a run that takes longer than the calls stop for: the next one waits for its end, and takes what comes until then", async () => {
      const self = await make()
      const { end } = self.slowly()
      const one = self.call("a")
      await self.advance(100)
      const two = self.call("b")
      await self.advance(300)
      const three = self.call("c")
      await self.advance(200)
      assert.deepStrictEqual([self.runs, states([one, two, three])], [["a"], ["waiting", "waiting", "waiting"]])
      await end()
      assert.deepStrictEqual(
        [self.runs, values([one, two, three])],
        [
          ["a", "c"],
          ["ran a", "ran c", "ran c"]
        ]
      )
    })

    it("after a long run, calls that have not stopped are waited for", async () => {
      const self = await make()
      const { end } = self.slowly()
      self.trigger("a")
      await self.advance(400)
      self.trigger("b")
      await self.advance(40)
      await end()
      await self.advance(59)
      assert.deepStrictEqual(self.runs, ["a"])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["a", "b"])
    })

    it("leading, and the run before is still in progress: the next begins when that has ended", async () => {
      const self = await make({ edges: "leading" })
      const { end } = self.slowly()
      const one = self.call("a")
      await self.advance(150)
      const two = self.call("b")
      await self.advance(50)
      const three = self.call("c")
      await settle()
      assert.deepStrictEqual([self.runs, self.pending()], [["a"], 2])
      await end()
      assert.deepStrictEqual(values([one, two, three]), ["ran a", "ran c", "ran c"])
      assert.deepStrictEqual(self.runs, ["a", "c"])
    })

    it("cancel ends the burst: the next call is its first", async () => {
      const self = await make({ edges: "both" })
      self.trigger("a")
      await self.advance(10)
      self.trigger("b")
      assert.strictEqual(self.cancel(), 1)
      self.trigger("c")
      await self.advance(500)
      assert.deepStrictEqual(self.runs, ["a", "c"])
    })
  })

const throttleLaws = (skin: PacingSkin) =>
  laws(skin, "throttle", (make) => {
    it("runs with the first call, and once an interval while there are calls, with the latest arguments", async () => {
      const self = await make()
      const one = self.call("a")
      await settle()
      assert.strictEqual(one.value, "ran a")
      await self.advance(30)
      const calls = [self.call("b"), self.call("c")]
      await self.advance(69)
      assert.deepStrictEqual([self.runs, self.pending()], [["a"], 2])
      await self.advance(1)
      assert.deepStrictEqual(
        [self.runs, values(calls)],
        [
          ["a", "c"],
          ["ran c", "ran c"]
        ]
      )
      await self.advance(50)
      const next = self.call("d")
      await self.advance(49)
      assert.strictEqual(next.state, "waiting")
      await self.advance(1)
      assert.strictEqual(next.value, "ran d")
      await self.advance(99)
      assert.strictEqual(self.stats().keys, 1)
      await self.advance(1)
      assert.strictEqual(self.stats().keys, 0)
      self.trigger("e")
      await settle()
      assert.deepStrictEqual(self.runs, ["a", "c", "d", "e"])
    })

    it("leading: covers what comes in the interval", async () => {
      const self = await make({ edges: "leading" })
      const one = self.call("a")
      await self.advance(99)
      const two = self.call("b")
      await self.advance(1)
      const three = self.call("c")
      await settle()
      assert.deepStrictEqual(
        [self.runs, values([one, two, three])],
        [
          ["a", "c"],
          ["ran a", "ran a", "ran c"]
        ]
      )
    })

    it("trailing: runs an interval after the first call, and an interval after a run", async () => {
      const self = await make({ edges: "trailing" })
      self.trigger("a")
      await self.advance(60)
      self.trigger("b")
      await self.advance(39)
      assert.deepStrictEqual(self.runs, [])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["b"])
      await self.advance(50)
      self.trigger("c")
      await self.advance(49)
      assert.deepStrictEqual(self.runs, ["b"])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["b", "c"])
    })

    it("a run that takes longer than the interval: the next one waits for its end", async () => {
      const self = await make()
      const { end } = self.slowly()
      const one = self.call("a")
      await self.advance(150)
      const two = self.call("b")
      await self.advance(100)
      const three = self.call("c")
      await settle()
      assert.deepStrictEqual(self.runs, ["a"])
      await end()
      assert.deepStrictEqual(values([one, two, three]), ["ran a", "ran c", "ran c"])
      // The interval counts from its start.
      self.trigger("d")
      await self.advance(99)
      assert.deepStrictEqual(self.runs, ["a", "c"])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["a", "c", "d"])
    })

    it("cancel keeps the interval after a run", async () => {
      const self = await make()
      self.trigger("a")
      await self.advance(10)
      self.trigger("b")
      assert.strictEqual(self.cancel(), 1)
      self.trigger("c")
      await self.advance(89)
      assert.deepStrictEqual(self.runs, ["a"])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["a", "c"])
    })

    it("a run that is flushed does not wait for the interval, which then counts from it", async () => {
      const self = await make()
      self.trigger("a")
      await self.advance(10)
      self.trigger("b")
      self.flush()
      await settle()
      assert.deepStrictEqual(self.runs, ["a", "b"])
      self.trigger("c")
      await self.advance(99)
      assert.deepStrictEqual(self.runs, ["a", "b"])
      await self.advance(1)
      assert.deepStrictEqual(self.runs, ["a", "b", "c"])
    })
  })

export const pacingLaws = (kind: Kind): void => {
  for (const skin of pacingSkins) {
    shared(skin, kind)
    if (kind === "debounce") debounceLaws(skin)
    else throttleLaws(skin)
  }
}
