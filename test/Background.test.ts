import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Context,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Ref,
  Scope,
  TestClock,
  TestContext
} from "effect"
import { Background, Wait } from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"
import { heap } from "./utils/heap.js"
import { Reporter } from "../src/internal/report.js"
import { backgroundLaws, backgroundSkins } from "./laws/Background.js"
import { fork, settle } from "./laws/skins.js"
import { dieWith } from "./utils/defects.js"
import { sweep, sweepIsClean } from "./utils/sweep.js"

for (const skin of backgroundSkins) backgroundLaws(skin)

const run = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>): Promise<A> =>
  Effect.runPromise(Effect.provide(Effect.scoped(effect), TestContext.TestContext))

/** A registry that notes what it reports. */
const noting = (options: Background.Options = {}) => {
  const reports: Array<string> = []
  const background = Background.makeUnsafe({
    ...options,
    onError: ({ cause, message, name }) =>
      Effect.sync(() => void reports.push(`${name}: ${Cause.isEmpty(cause) ? message : String(Cause.squash(cause))}`))
  })
  return { background, reports }
}

const stats = (background: Background.Background<any>) => Effect.runSync(background.stats)
const idle = (background: Background.Background<any>, running = 0) => {
  const { size } = stats(background)
  return size === running && background[Background.TypeId].waiting.size === 0
    ? undefined
    : JSON.stringify(stats(background))
}

describe("Background: interrupted at any operation", () => {
  it("who starts: the task runs to its end, or was not started", () =>
    sweepIsClean({
      setup: () => ({ ...noting(), ended: 0 }),
      victim: (state) =>
        Effect.zipRight(
          state.background.start(
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => state.ended++)
            )
          ),
          Effect.yieldNow()
        ),
      verify: ({ background, ended }) => (stats(background).succeeded === ended ? idle(background) : `${ended} ended`)
    }))

  it("who starts where only one may run: the permit is free in the end", () =>
    sweepIsClean({
      setup: () => noting({ concurrency: 1 }),
      victim: ({ background }) =>
        Effect.flatMap(background.start(Effect.yieldNow()), (task) =>
          Effect.zipRight(task.cancel(), Effect.yieldNow())
        ),
      meanwhile: ({ background }) => Effect.flatMap(background.start(Effect.succeed(1)), (task) => task.await),
      verify: ({ background }) =>
        background[Background.TypeId].semaphore!.taken === 0 ? idle(background) : "a permit is lost"
    }))

  it("who tries to start where only one may run: the permit is free in the end", () =>
    sweepIsClean({
      setup: () => ({ ...noting({ concurrency: 1, backlog: 0 }), ended: 0 }),
      victim: (state) =>
        Effect.zipRight(
          state.background.tryStart(
            Effect.zipRight(
              Effect.yieldNow(),
              Effect.sync(() => state.ended++)
            )
          ),
          Effect.yieldNow()
        ),
      verify: ({ background, ended }) =>
        background[Background.TypeId].semaphore!.taken > 0
          ? "a permit is lost"
          : stats(background).succeeded === ended
            ? idle(background)
            : `${ended} ended`
    }))

  it("who runs: the work has ended when the caller has, and a permit is free", () =>
    sweepIsClean({
      setup: () => ({ ...noting({ concurrency: 1 }), running: 0, left: undefined as number | undefined }),
      victim: (state) =>
        Effect.onExit(
          state.background.run(
            Effect.acquireUseRelease(
              Effect.sync(() => state.running++),
              () => Effect.yieldNow(),
              () => Effect.sync(() => state.running--)
            )
          ),
          () => Effect.sync(() => (state.left = state.running + stats(state.background).size))
        ),
      verify: ({ background, left = 0 }) =>
        left > 0
          ? `${left} are left`
          : background[Background.TypeId].semaphore!.taken > 0
            ? "a permit is lost"
            : idle(background)
    }))

  it("who runs what fails: the failure is the caller's, or it is reported, or there was none", async () => {
    const { findings } = await sweep({
      setup: () => noting(),
      victim: ({ background }) => background.run(Effect.zipRight(Effect.yieldNow(), Effect.fail("oops"))),
      verify: ({ background, reports }, exit) => {
        const heard = exit._tag === "Failure" && Cause.failures(exit.cause).length > 0 ? 1 : 0
        return stats(background).failed === reports.length + heard
          ? idle(background)
          : `${stats(background).failed} failed, ${heard} heard, ${reports.length} reported`
      }
    })
    // In the step after it was handed over it is the caller's who fails, and who is interrupted: of any effect the interruption is left then.
    assert.isAtMost(findings.length, 1, JSON.stringify(findings))
  })

  it("who fires a failure and forgets it: it is reported, or it was not started", () =>
    sweepIsClean({
      setup: () => noting(),
      victim: ({ background }) => Effect.zipRight(background.fireAndForget(Effect.fail("oops")), Effect.yieldNow()),
      verify: ({ background, reports }) =>
        stats(background).failed === reports.length ? idle(background) : `${reports.length} reports`
    }))

  it("who waits until it is empty: nobody is left waiting", () =>
    sweepIsClean({
      setup: () => {
        const { background } = noting()
        const gate = Effect.runSync(Deferred.make<void>())
        fork(background.start(Deferred.await(gate)))
        return { background, gate, other: fork(background.awaitEmpty) }
      },
      victim: ({ background }) => Effect.zipRight(background.awaitEmpty, Effect.yieldNow()),
      meanwhile: ({ gate }) => Deferred.succeed(gate, undefined),
      verify: ({ background, other }) => (other.state === "done" ? idle(background) : "the other waits")
    }))

  it("who cancels all: all were cancelled, or none; and they are gone then", () =>
    sweepIsClean({
      setup: () => {
        const { background } = noting()
        const release = Effect.runSync(Deferred.make<void>())
        const body = Effect.raceFirst(Effect.never, Deferred.await(release))
        for (let i = 0; i < 3; i++) fork(background.start(body))
        return { background, release }
      },
      victim: ({ background }) => Effect.zipRight(background.cancelAll, Effect.yieldNow()),
      meanwhile: ({ release }) => Deferred.succeed(release, undefined),
      verify: ({ background }) =>
        [0, 3].includes(stats(background).cancelled) ? idle(background) : `${stats(background).cancelled} cancelled`
    }))

  it("who uses one in a scope: it is closed, and nothing runs", () =>
    sweepIsClean({
      setup: () => ({ running: 0, made: undefined as Background.Background | undefined }),
      victim: (state) =>
        Effect.scoped(
          Effect.flatMap(Background.make(), (background) => {
            state.made = background
            return Effect.zipRight(
              background.fireAndForget(
                Effect.acquireUseRelease(
                  Effect.sync(() => state.running++),
                  () => Effect.never,
                  () => Effect.sync(() => state.running--)
                )
              ),
              Effect.yieldNow()
            )
          })
        ),
      verify: ({ made, running }) =>
        running === 0 && (made === undefined || stats(made).isClosed) ? undefined : `${running} are running`
    }))
})

describe("Background for effects", () => {
  it("logs at error level with the task's name, by default", async () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ cause, logLevel, message }) => {
      lines.push(`${logLevel.label} ${String(message)} ${String(Cause.squash(cause))}`)
    })
    await Effect.runPromise(
      Effect.scoped(
        Effect.flatMap(Background.make(), (background) =>
          Effect.zipRight(background.fireAndForget(Effect.fail("oops"), { name: "mail" }), background.awaitEmpty)
        )
      ).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    )
    assert.deepStrictEqual(lines, ["ERROR Background: mail: it failed, and nobody waits for it oops"])
  })

  it("onError has the services of where the registry is made, also from plain code", async () => {
    class Name extends Context.Tag("test/Name")<Name, string>() {}
    const log: Array<string> = []
    await run(
      Effect.gen(function* () {
        const background = yield* Effect.provideService(
          Background.make({ onError: ({ name }) => Effect.map(Name, (owner) => log.push(`${owner} ${name}`)) }),
          Name,
          "Ada"
        )
        yield* background.fireAndForget(Effect.fail("no"), { name: "fiber" })
        yield* background.awaitEmpty
        const plain = Promises.Background.from(background)
        plain.fireAndForget(() => Promise.reject("no"), { name: "function" })
        yield* Effect.promise(() => plain.awaitEmpty())
      })
    )
    assert.deepStrictEqual(log, ["Ada fiber", "Ada function"])
  })

  it("an onError that fails, dies or throws loses neither failure, and harms nobody", async () => {
    const reports: Array<string> = []
    const bad = [
      () => Effect.fail("no"),
      () => Effect.die("no"),
      () => {
        throw new Error("no")
      }
    ]
    for (const onError of bad) {
      await Effect.runPromise(
        Effect.gen(function* () {
          const background = Background.makeUnsafe({ onError })
          yield* background.fireAndForget(Effect.fail("oops"), { name: "a" })
          yield* background.awaitEmpty
          assert.strictEqual(yield* Effect.flatMap(background.start(Effect.succeed(1)), (task) => task.await), 1)
        }).pipe(
          Effect.provideService(Reporter, {
            report: ({ message, where }) => Effect.sync(() => void reports.push(`${where}: ${message}`))
          })
        )
      )
    }
    const both = ["Background: it failed, and nobody waits for it", "Background.onError: the reporter failed"]
    assert.deepStrictEqual(reports, [...both, ...both, ...both])
  })

  describe("a timeout in onError works, and what is interrupted there is not lost", () => {
    const failing: Record<string, (background: Background.Background) => Effect.Effect<unknown, unknown>> = {
      start: (background) => background.start(Effect.fail("oops"), { name: "a" }),
      "start, where nothing can be interrupted": (background) =>
        Effect.uninterruptible(background.start(Effect.fail("oops"), { name: "a" })),
      fireAndForget: (background) => background.fireAndForget(Effect.fail("oops"), { name: "a" }),
      "a cleanup that fails": (background) =>
        Effect.flatMap(
          background.start(
            Effect.onInterrupt(Effect.never, () => Effect.die("oops")),
            { name: "a" }
          ),
          (task) => Effect.zipRight(Effect.yieldNow(), task.cancelNow)
        ),
      "a cleanup that fails, of what is forgotten": (background) =>
        Effect.zipRight(
          background.fireAndForget(
            Effect.onInterrupt(Effect.never, () => Effect.die("oops")),
            { name: "a" }
          ),
          Effect.zipRight(Effect.yieldNow(), background.cancelAll)
        ),
      "plain code": (background) =>
        Effect.sync(() =>
          Promises.Background.from(background).fireAndForget(() => Promise.reject("oops"), { name: "a" })
        )
    }
    const both = ["Background: a: oops", "Background.onError: a: the reporter failed"]

    for (const [how, fails] of Object.entries(failing)) {
      it(how, () =>
        run(
          Effect.gen(function* () {
            for (const onError of [() => Effect.timeout(Effect.never, 100), () => Effect.interrupt]) {
              const lines: Array<string> = []
              const program = Effect.gen(function* () {
                const background = yield* Background.make({ onError })
                yield* fails(background)
                yield* background.awaitEmpty
              }).pipe(
                Effect.scoped,
                Effect.provideService(Reporter, {
                  report: ({ cause, message, name, where }) =>
                    Effect.sync(() => {
                      const what = message === "the reporter failed" ? message : String(Cause.squash(cause))
                      lines.push(`${where}: ${name}: ${what}`)
                    })
                })
              )
              const main = yield* Effect.fork(program)
              for (let i = 0; i < 5; i++) yield* Effect.promise(settle)
              yield* TestClock.adjust(100)
              yield* Fiber.join(main)
              assert.deepStrictEqual(lines, both)
            }
          })
        )
      )
    }
  })

  it("tasks have the services of who starts them, and outlive them", () =>
    run(
      Effect.gen(function* () {
        class Name extends Context.Tag("test/Name")<Name, string>() {}
        const background = yield* Background.make()
        const seen = yield* Ref.make("")
        const starter = yield* Effect.fork(
          Effect.provideService(
            background.fireAndForget(
              Effect.zipRight(
                Effect.sleep(10),
                Effect.flatMap(Name, (name) => Ref.set(seen, name))
              )
            ),
            Name,
            "Ada"
          )
        )
        yield* Fiber.join(starter)
        yield* Effect.yieldNow()
        yield* TestClock.adjust(10)
        yield* background.awaitEmpty
        assert.strictEqual(yield* Ref.get(seen), "Ada")
      })
    ))

  it("one that is started where nothing can be interrupted can be cancelled", () =>
    run(
      Effect.gen(function* () {
        const background = yield* Background.make()
        yield* Effect.uninterruptible(background.fireAndForget(Effect.never))
        assert.strictEqual(yield* background.cancelAll, 1)
      })
    ))

  it("a failure in the cleanup of work whose caller has gone is reported", () =>
    run(
      Effect.gen(function* () {
        const { background, reports } = noting()
        const caller = yield* Effect.fork(
          background.run(
            Effect.onInterrupt(Effect.never, () => Effect.die("oops")),
            { name: "dirty" }
          )
        )
        yield* Effect.yieldNow()
        yield* Effect.yieldNow()
        const exit = yield* Fiber.interrupt(caller)
        assert.isTrue(Exit.isInterrupted(exit))
        yield* background.awaitEmpty
        assert.deepStrictEqual(reports, ["dirty: oops"])
      })
    ))

  it("who runs and cannot be interrupted gets the value", () =>
    run(
      Effect.gen(function* () {
        const background = yield* Background.make()
        const gate = yield* Deferred.make<number>()
        const caller = yield* Effect.fork(Effect.uninterruptible(background.run(Deferred.await(gate))))
        yield* Effect.yieldNow()
        yield* Effect.fork(Fiber.interrupt(caller))
        yield* Effect.yieldNow()
        assert.strictEqual((yield* background.stats).size, 1)
        yield* Deferred.succeed(gate, 42)
        yield* background.awaitEmpty
        assert.strictEqual((yield* background.stats).succeeded, 1)
      })
    ))

  it("whoever runs what somebody else cancels is told by name", () =>
    run(
      Effect.gen(function* () {
        const background = yield* Background.make()
        const caller = yield* Effect.fork(Effect.flip(background.run(Effect.never, { name: "index" })))
        yield* Effect.yieldNow()
        yield* background.cancelAll
        const error = yield* Fiber.join(caller)
        assert.deepStrictEqual([error._tag, error.task], ["TaskCancelled", "index"])
      })
    ))

  it("plain code starts an effect with whatever runs effects", async () => {
    const { background, reports } = noting()
    const task = Effect.runSync(background.start(Effect.sleep(1)))
    Effect.runSync(background.fireAndForget(Effect.fail("oops"), { name: "a" }))
    await Effect.runPromise(task.await)
    await Effect.runPromise(background.awaitEmpty)
    assert.deepStrictEqual(reports, ["a: oops"])
  })

  describe("describe", () => {
    const failure = { where: "Background", name: "mail", message: "it failed" }

    it("is one line: where, who, what, and all the errors", () => {
      const cause = Cause.parallel(Cause.fail(new Error("no\nroute")), Cause.die({ _tag: "Bug" }))
      assert.strictEqual(
        Background.describe({ ...failure, cause }),
        'Background: mail: it failed: Error: no route; {"_tag":"Bug"}'
      )
    })

    it("says nothing of an error where there is none", () => {
      assert.strictEqual(
        Background.describe({ ...failure, name: undefined, cause: Cause.empty }),
        "Background: it failed"
      )
    })
  })

  // It was reported by a timer of its own, after the closing had ended, and with it the program.
  it("what a race lets go of is reported before a closing ends that comes after it", () =>
    run(
      Effect.gen(function* () {
        for (const closes of [true, false]) {
          const reports: Array<string> = []
          const background = Background.makeUnsafe({
            onError: ({ name }) => Effect.map(Effect.sleep(5), () => reports.push(String(name)))
          })
          const failing = yield* background.start(Effect.fail("oops"), { name: "a" })
          const race = yield* Effect.fork(Wait.firstSuccess([failing, Effect.sleep(10)]))
          yield* TestClock.adjust(5)
          yield* background.awaitEmpty
          assert.deepStrictEqual(reports, [], "the race has it")
          yield* TestClock.adjust(5)
          yield* Fiber.join(race)
          const ends = yield* Effect.fork(closes ? background.close : background.awaitEmpty)
          yield* TestClock.adjust(4)
          assert.deepStrictEqual([ends.unsafePoll(), reports], [null, []])
          yield* TestClock.adjust(1)
          yield* Fiber.join(ends)
          assert.deepStrictEqual(reports, ["a"])
        }
      })
    ))

  it("and a race that ends with the last task lets the closing wait, and not give up", () =>
    run(
      Effect.gen(function* () {
        const reports: Array<string> = []
        const background = Background.makeUnsafe({
          onClose: "drain",
          onError: ({ name }) => Effect.map(Effect.sleep(5), () => reports.push(String(name)))
        })
        const failing = yield* background.start(Effect.fail("oops"), { name: "a" })
        const last = yield* background.start(Effect.sleep(10))
        yield* Effect.fork(Wait.firstSuccess([failing, last]))
        yield* TestClock.adjust(5)
        const close = yield* Effect.fork(background.close)
        yield* TestClock.adjust(5)
        assert.deepStrictEqual([close.unsafePoll(), reports], [null, []])
        yield* TestClock.adjust(5)
        assert.deepStrictEqual([yield* Fiber.join(close), reports], [[], ["a"]])
      })
    ))

  it("waiting for a cancelled task does not swallow the caller's own interruption", () =>
    run(
      Effect.gen(function* () {
        const background = yield* Background.make()
        const task = yield* background.start(Effect.never)
        const log: Array<string> = []
        const caller = yield* Effect.fork(
          Effect.zipRight(
            Effect.ignore(task.await),
            Effect.sync(() => log.push("went on"))
          )
        )
        yield* Effect.yieldNow()
        yield* Effect.all([Fiber.interrupt(caller), task.cancelNow], { concurrency: "unbounded" })
        assert.isTrue(Exit.isInterrupted(yield* caller.await))
        assert.deepStrictEqual(log, [])
      })
    )) // asyncio: pipecat#5186

  describe("closing", () => {
    /** A registry in a scope, and what closes it. */
    const scoped = (options: Background.Options) =>
      Effect.gen(function* () {
        const reports: Array<string> = []
        const scope = yield* Scope.make()
        const background = yield* Scope.extend(
          Background.make({
            ...options,
            onError: ({ cause, message, name }) =>
              Effect.sync(
                () => void reports.push(`${name}: ${Cause.isEmpty(cause) ? message : String(Cause.squash(cause))}`)
              )
          }),
          scope
        )
        return { background, reports, close: Scope.close(scope, Exit.void) }
      })

    it("drains up to the deadline, then cancels the rest, and says whom", () =>
      run(
        Effect.gen(function* () {
          const { background, close, reports } = yield* scoped({ onClose: "drain", deadline: "1 second" })
          const log: Array<string> = []
          const work = (name: string, ms: number) =>
            background.fireAndForget(
              Effect.onInterrupt(
                Effect.zipRight(
                  Effect.sleep(ms),
                  Effect.sync(() => log.push(`${name} ended`))
                ),
                () => Effect.sync(() => log.push(`${name} cancelled`))
              ),
              { name }
            )
          yield* work("quick", 999)
          yield* work("slow", 1_001)
          yield* work("slower", 2_000)
          yield* Effect.yieldNow()
          const closing = yield* Effect.fork(close)
          yield* TestClock.adjust(999)
          assert.deepStrictEqual([log, reports], [["quick ended"], []])
          assert.strictEqual((yield* Effect.flip(background.start(Effect.void)))._tag, "BackgroundClosed")
          yield* TestClock.adjust(1)
          yield* Fiber.join(closing)
          assert.deepStrictEqual(log, ["quick ended", "slow cancelled", "slower cancelled"])
          assert.deepStrictEqual(reports, [
            "undefined: 2 tasks had not ended by the deadline, and were cancelled: slow, slower"
          ])
        })
      ))

    it("waits for cleanups up to the grace, says what it left behind, and still reports its failure", () =>
      run(
        Effect.gen(function* () {
          const { background, close, reports } = yield* scoped({ grace: 100 })
          yield* background.fireAndForget(
            Effect.onInterrupt(Effect.never, () => Effect.zipRight(Effect.sleep(500), Effect.die("oops"))),
            { name: "stubborn" }
          )
          yield* background.fireAndForget(Effect.never, { name: "polite" })
          yield* Effect.yieldNow()
          const closing = yield* Effect.fork(close)
          yield* TestClock.adjust(99)
          assert.deepStrictEqual(reports, [])
          yield* TestClock.adjust(1)
          yield* Fiber.join(closing)
          assert.deepStrictEqual(reports, [
            "undefined: 1 task had not cleaned up in time, and was left behind: stubborn"
          ])
          yield* TestClock.adjust(400)
          yield* Effect.yieldNow()
          yield* Effect.yieldNow()
          assert.strictEqual(reports[1], "stubborn: oops")
        })
      ))

    it("gives the names of what it gave up", () =>
      run(
        Effect.gen(function* () {
          const drain = noting({ onClose: "drain", deadline: 0 }).background
          yield* drain.fireAndForget(Effect.never, { name: "a" })
          yield* drain.fireAndForget(Effect.never)
          const closing = yield* Effect.fork(drain.close)
          yield* TestClock.adjust(0)
          assert.deepStrictEqual(yield* Fiber.join(closing), ["a", "(no name)"])
          assert.deepStrictEqual(yield* drain.close, [])
        })
      ))

    it("waits as long as it takes when there is no deadline", () =>
      run(
        Effect.gen(function* () {
          const { background, close } = yield* scoped({ onClose: "drain" })
          yield* background.fireAndForget(Effect.sleep("1 day"))
          yield* Effect.yieldNow()
          const closing = yield* Effect.fork(close)
          yield* TestClock.adjust("1 hour")
          assert.strictEqual((yield* Fiber.poll(closing))._tag, "None")
          yield* TestClock.adjust("23 hours")
          yield* Fiber.join(closing)
          assert.strictEqual(stats(background).succeeded, 1)
        })
      ))

    it("also when it is its user who was interrupted", () =>
      run(
        Effect.gen(function* () {
          const log: Array<string> = []
          const user = yield* Effect.fork(
            Effect.scoped(
              Effect.gen(function* () {
                const background = yield* Background.make({ onClose: "drain", deadline: 50 })
                yield* background.fireAndForget(
                  Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("cancelled")))
                )
                return yield* Effect.never
              })
            )
          )
          yield* Effect.yieldNow()
          yield* Effect.yieldNow()
          const interrupted = yield* Effect.fork(Fiber.interrupt(user))
          yield* TestClock.adjust(49)
          assert.deepStrictEqual(log, [])
          yield* TestClock.adjust(1)
          yield* Fiber.join(interrupted)
          assert.deepStrictEqual(log, ["cancelled"])
        }).pipe(Effect.provideService(Reporter, { report: () => Effect.void }))
      ))

    describe("with an onError that never ends", () => {
      /** What is logged, and a program that runs with that. */
      const logging = () => {
        const lines: Array<string> = []
        const logger = Logger.make(
          ({ cause, message }) => void lines.push(`${String(message)} ${String(Cause.squash(cause))}`)
        )
        const log = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
          run(Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger)))
        return { lines, log }
      }
      const late = "(the report of this has not ended in time)"
      const unheard = `it failed, and nobody waits for it ${late}`

      for (const options of [
        { onClose: "drain", deadline: 100 },
        { onClose: "interrupt", grace: 100 },
        { onClose: "interrupt", deadline: 100 }
      ] as const) {
        it(`is over when its time is, and the failure is named and logged: ${JSON.stringify(options)}`, async () => {
          const { lines, log } = logging()
          await log(
            Effect.gen(function* () {
              const background = Background.makeUnsafe({ ...options, onError: () => Effect.never })
              yield* background.fireAndForget(Effect.fail("oops"), { name: "mail" })
              yield* Effect.yieldNow()
              const empty = yield* Effect.fork(background.awaitEmpty)
              const closing = yield* Effect.fork(background.close)
              yield* TestClock.adjust(99)
              assert.deepStrictEqual([closing.unsafePoll(), lines], [null, []])
              yield* TestClock.adjust(1)
              assert.deepStrictEqual(yield* Fiber.join(closing), ["mail"])
              yield* Fiber.join(empty)
              assert.deepStrictEqual(lines, [`Background: mail: ${unheard} oops`])
              assert.deepStrictEqual(yield* background.close, [], "once")
            })
          )
        })
      }

      it("what does not clean up either is reported, and that has as long again", async () => {
        const { lines, log } = logging()
        const told: Array<string> = []
        await log(
          Effect.gen(function* () {
            const background = Background.makeUnsafe({
              grace: 100,
              onError: ({ message }) =>
                Effect.zipRight(
                  Effect.sync(() => told.push(message)),
                  Effect.never
                )
            })
            yield* background.fireAndForget(Effect.uninterruptible(Effect.never), { name: "deaf" })
            yield* Effect.yieldNow()
            const closing = yield* Effect.fork(background.close)
            yield* TestClock.adjust(100)
            yield* TestClock.adjust(99)
            const message = "1 task had not cleaned up in time, and was left behind: deaf"
            assert.deepStrictEqual([closing.unsafePoll(), told, lines], [null, [message], []])
            yield* TestClock.adjust(1)
            assert.deepStrictEqual(yield* Fiber.join(closing), ["deaf"])
            assert.match(
              lines.join(),
              /^Background\.close: 1 task had .* deaf \(the report of this has not ended in time\)/
            )
          })
        )
      })

      it("who had a failure and did not answer is not told what was cancelled: that is logged at the deadline", async () => {
        const { lines, log } = logging()
        await log(
          Effect.gen(function* () {
            const background = Background.makeUnsafe({ onClose: "drain", deadline: 100, onError: () => Effect.never })
            yield* background.fireAndForget(Effect.fail("oops"), { name: "mail" })
            yield* background.fireAndForget(Effect.never, { name: "slow" })
            yield* Effect.yieldNow()
            const closing = yield* Effect.fork(background.close)
            yield* TestClock.adjust(100)
            assert.deepStrictEqual(yield* Fiber.join(closing), ["slow", "mail"])
            assert.strictEqual(lines[0], `Background: mail: ${unheard} oops`)
            assert.match(lines[1]!, /^Background\.close: 1 task had not ended by the deadline, and was cancelled: slow/)
            assert.strictEqual(lines.length, 2)
          })
        )
      })

      it("a layer closes all the same", async () => {
        const { lines, log } = logging()
        class Jobs extends Background.Service<Jobs>()("test/Jobs", { grace: 100, onError: () => Effect.never }) {}
        const program = Effect.zipRight(Jobs.fireAndForget(Effect.fail("oops"), { name: "mail" }), Effect.yieldNow())
        await log(
          Effect.gen(function* () {
            const main = yield* Effect.fork(Effect.provide(program, Jobs.layer))
            yield* TestClock.adjust(100)
            yield* Fiber.join(main)
          })
        )
        assert.deepStrictEqual(lines, [`Background: mail: ${unheard} oops`])
      })

      it("a report that ends in time is waited for, and nothing is logged", async () => {
        const { lines, log } = logging()
        const told: Array<unknown> = []
        await log(
          Effect.gen(function* () {
            const background = Background.makeUnsafe({
              grace: 100,
              onError: ({ name }) =>
                Effect.zipRight(
                  Effect.sleep(99),
                  Effect.sync(() => told.push(name))
                )
            })
            yield* background.fireAndForget(Effect.fail("oops"), { name: "mail" })
            yield* background.fireAndForget(Effect.uninterruptible(Effect.sleep(150)), { name: "deaf" })
            yield* Effect.yieldNow()
            const closing = yield* Effect.fork(background.close)
            yield* TestClock.adjust(198)
            assert.deepStrictEqual(told, ["mail"])
            yield* TestClock.adjust(1)
            assert.deepStrictEqual(yield* Fiber.join(closing), ["deaf"])
            assert.deepStrictEqual([told, lines], [["mail", undefined], []])
          })
        )
      })

      it("the failure of a function is logged as well", async () => {
        const { lines, log } = logging()
        await log(
          Effect.gen(function* () {
            const background = Background.makeUnsafe({ grace: 0, onError: () => Effect.never })
            Promises.Background.from(background).fireAndForget(() => Promise.reject("oops"), { name: "function" })
            yield* Effect.promise(() => settle())
            const closing = yield* Effect.fork(background.close)
            yield* TestClock.adjust(0)
            assert.deepStrictEqual(yield* Fiber.join(closing), ["function"])
            assert.deepStrictEqual(lines, [`Background: function: ${unheard} oops`])
          })
        )
      })
    })
  })

  describe("one of its own tasks that waits for it", () => {
    const message = "a task of the registry waits for the registry, and so for itself, and would never end"

    for (const options of [{}, { onClose: "drain" }, { concurrency: 1 }] as const) {
      for (const operation of ["awaitEmpty", "close"] as const) {
        it(`${operation} tells it so, and does not hang: ${JSON.stringify(options)}`, () =>
          run(
            Effect.gen(function* () {
              const { background } = noting(options)
              const task = yield* background.start(Effect.uninterruptible(Effect.exit(background[operation])))
              const exit = yield* task.await
              assert.strictEqual((dieWith(exit) as Error).message, `Background.${operation}: ${message}`)
              yield* background.awaitEmpty
              assert.strictEqual(stats(background).isClosed, operation === "close")
              assert.strictEqual(stats(background).size, 0)
            })
          ))
      }
    }

    it("close closes it all the same: others are cancelled, and what does not end is reported", () =>
      run(
        Effect.gen(function* () {
          const { background, reports } = noting({ grace: 100 })
          yield* background.fireAndForget(Effect.uninterruptible(Effect.never), { name: "deaf" })
          const polite = yield* background.start(Effect.never)
          yield* background.fireAndForget(background.close, { name: "closer" })
          yield* Effect.yieldNow()
          yield* TestClock.adjust(100)
          yield* TestClock.adjust(0)
          assert.strictEqual((yield* polite.poll)._tag, "Cancelled")
          assert.match(reports.join(), /closer: Error: Background\.close: .*left behind: deaf/)
        })
      ))

    it("cancelAll cancels all, itself too, and does not wait", () =>
      run(
        Effect.gen(function* () {
          const { background } = noting()
          const log: Array<unknown> = []
          const other = yield* background.start(Effect.never)
          const task = yield* background.start(
            Effect.uninterruptibleMask((restore) =>
              Effect.flatMap(background.cancelAll, (count) => {
                log.push(count)
                return restore(Effect.sync(() => log.push("went on")))
              })
            )
          )
          yield* background.awaitEmpty
          assert.deepStrictEqual(log, [2])
          assert.deepStrictEqual([(yield* other.poll)._tag, (yield* task.poll)._tag], ["Cancelled", "Cancelled"])
        })
      ))

    it("a fiber that a task has forked may wait, as a child or on its own; so may one that waits with a timeout", () =>
      run(
        Effect.gen(function* () {
          const { background, reports } = noting()
          const log: Array<string> = []
          const waits = Effect.map(background.awaitEmpty, () => log.push("empty"))
          yield* background.fireAndForget(Effect.forkDaemon(waits))
          yield* background.fireAndForget(Effect.zipRight(Effect.fork(waits), Effect.yieldNow()))
          yield* background.fireAndForget(
            Effect.map(Effect.timeoutOption(background.awaitEmpty, 10), ({ _tag }) => log.push(_tag))
          )
          yield* Effect.yieldNow()
          yield* TestClock.adjust(10)
          yield* background.awaitEmpty
          yield* Effect.yieldNow()
          assert.deepStrictEqual([log.sort(), reports], [["None", "empty"], []])
        })
      ))

    it("a task of another registry may, and so may one that waits for others", () =>
      run(
        Effect.gen(function* () {
          const [here, there] = [noting(), noting()]
          const other = yield* here.background.start(Effect.sleep(10))
          const task = yield* there.background.start(Effect.zipRight(here.background.awaitEmpty, other.await))
          yield* Effect.yieldNow()
          yield* TestClock.adjust(10)
          yield* task.await
          assert.deepStrictEqual([here.reports, there.reports], [[], []])
        })
      ))

    it("an onError that waits for its registry is told so, also of what is reported late", () => {
      const reports: Array<string> = []
      return run(
        Effect.gen(function* () {
          const background: Background.Background = Background.makeUnsafe({ onError: () => background.awaitEmpty })
          const failing = yield* background.start(Effect.fail("oops"))
          const race = yield* Effect.fork(Wait.firstSuccess([failing, Effect.sleep(10)]))
          yield* TestClock.adjust(10)
          yield* Fiber.join(race)
          yield* background.awaitEmpty
          yield* Effect.yieldNow()
          assert.deepStrictEqual(reports, ["Background: oops", "Background.onError: misuse"])
          assert.strictEqual((background as unknown as { insiders: Map<unknown, unknown> }).insiders.size, 0)
        }).pipe(
          Effect.provideService(Reporter, {
            report: ({ cause, where }) =>
              Effect.sync(() => {
                const error: any = Cause.squash(cause)
                reports.push(`${where}: ${error instanceof Error ? "misuse" : error}`)
              })
          })
        )
      )
    })

    it("an onError that waits for its registry is told so, too", () =>
      run(
        Effect.gen(function* () {
          const lines: Array<string> = []
          const background: Background.Background = Background.makeUnsafe({ onError: () => background.awaitEmpty })
          yield* Effect.provideService(
            Effect.zipRight(background.fireAndForget(Effect.fail("oops")), background.awaitEmpty),
            Reporter,
            { report: ({ cause }) => Effect.sync(() => void lines.push(String(Cause.squash(cause)))) }
          )
          assert.deepStrictEqual(lines, ["oops", `Error: Background.awaitEmpty: ${message}`])
        })
      ))

    it("who has ended is not kept for that", () =>
      run(
        Effect.gen(function* () {
          const { background } = noting()
          for (let i = 0; i < 10; i++) {
            yield* background.fireAndForget(i % 2 ? Effect.void : Effect.fail("oops"))
            yield* Effect.flatMap(background.start(Effect.never), (task) => task.cancel())
          }
          yield* background.awaitEmpty
          assert.strictEqual((background as unknown as { insiders: Map<unknown, unknown> }).insiders.size, 0)
        })
      ))
  })

  describe("refuses as a defect", () => {
    const exits = (effect: Effect.Effect<unknown, unknown, never>) => dieWith(Effect.runSyncExit(effect)) as Error
    const make = (options: unknown) => exits(Effect.scoped(Background.make(options as {})))

    it("options that cannot be", () => {
      assert.match(make(null).message, /^Background\.make: options must be an object, got null/)
      assert.match(
        make({ concurrency: 0 }).message,
        /^Background\.make: concurrency must be an integer of at least 1, got 0/
      )
      assert.match(
        make({ concurrency: 1, backlog: -1 }).message,
        /^Background\.make: backlog must be an integer of at least 0/
      )
      assert.match(make({ onError: 5 }).message, /^Background\.make: onError must be a function, got 5/)
      assert.match(make({ onClose: "stop" }).message, /^Background\.make: onClose must be one of "interrupt", "drain"/)
      assert.match(make({ deadline: -1 }).message, /^Background\.make: deadline must be 0 or more milliseconds, got -1/)
      assert.match(make({ grace: "soon" }).message, /^Background\.make: grace must be a duration, got "soon"/)
      assert.throws(() => Background.makeUnsafe({ concurrency: 0 }), RangeError, "Background.make: concurrency")
    })

    it("what is no effect, before it is in the registry", () => {
      const background = Background.makeUnsafe()
      const message = /^Background\.start: effect must be an effect, got /
      assert.match(exits(background.start((() => {}) as never)).message, message)
      assert.match(
        exits(background.fireAndForget(5 as never)).message,
        /^Background\.fireAndForget: effect must be an effect, got 5/
      )
      assert.strictEqual(stats(background).size, 0)
    })
  })

  it("module functions are the methods", () =>
    run(
      Effect.gen(function* () {
        const background = yield* Background.make({ concurrency: 1, backlog: 1 })
        const task = yield* Background.start(background, Effect.never)
        yield* Background.fireAndForget(background, Effect.never)
        assert.isTrue(Option.isNone(yield* Background.tryStart(background, Effect.void)))
        assert.strictEqual((yield* Effect.flip(Background.run(background, Effect.void)))._tag, "BackgroundFull")
        const full = yield* Effect.flip(Background.start(background, Effect.void))
        assert.deepStrictEqual([full._tag, (full as Background.BackgroundFull).limit], ["BackgroundFull", 2])
        assert.strictEqual(yield* Background.size(background), 2)
        assert.strictEqual(yield* Background.cancelAll(background), 2)
        yield* Background.awaitEmpty(background)
        assert.strictEqual((yield* task.poll)._tag, "Cancelled")
        assert.deepStrictEqual(yield* Background.close(background), [])
        assert.deepStrictEqual(yield* Background.stats(background), {
          size: 0,
          queued: 0,
          succeeded: 0,
          failed: 0,
          cancelled: 2,
          isClosed: true
        })
      })
    ))
})

describe("Background.Service", () => {
  class Jobs extends Background.Service<Jobs>()("test/Jobs", { concurrency: 1, backlog: 0 }) {}

  it("has the operations of whichever registry is provided, and its layer closes it", async () => {
    const log: Array<string> = []
    const program = Effect.gen(function* () {
      const task = yield* Jobs.start(Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("cancelled"))))
      assert.strictEqual((yield* Effect.flip(Jobs.fireAndForget(Effect.void)))._tag, "BackgroundFull")
      assert.isTrue(Option.isNone(yield* Jobs.tryStart(Effect.void)))
      assert.strictEqual((yield* Effect.flip(Jobs.run(Effect.void)))._tag, "BackgroundFull")
      assert.deepStrictEqual([yield* Jobs.size, (yield* Jobs.stats).size], [1, 1])
      yield* Effect.yieldNow()
      log.push("end")
      return task
    })
    const task = await Effect.runPromise(Effect.provide(program, Jobs.layer))
    assert.deepStrictEqual(log, ["end", "cancelled"])
    assert.strictEqual(Effect.runSync(task.poll)._tag, "Cancelled")
  })

  it("takes options that are found out, with what onError needs", async () => {
    class Sink extends Context.Tag("test/Sink")<Sink, Array<string>>() {}
    const found = Effect.map(Sink, () => ({
      onError: ({ name }: Background.Unhandled) => Effect.map(Sink, (sink) => sink.push(String(name)))
    }))
    class Found extends Background.Service<Found>()("test/Found", found) {}
    const sink: Array<string> = []
    await Effect.runPromise(
      Effect.zipRight(Found.fireAndForget(Effect.fail("oops"), { name: "a" }), Found.awaitEmpty).pipe(
        Effect.provide(Layer.provide(Found.layer, Layer.succeed(Sink, sink)))
      )
    )
    assert.deepStrictEqual(sink, ["a"])
  })

  it("refuses bad options when the layer is built, as a defect", () => {
    class Bad extends Background.Service<Bad>()("test/Bad", { concurrency: 0 }) {}
    const exit = Effect.runSyncExit(Effect.provide(Bad.size, Bad.layer))
    assert.match(String(dieWith(exit)), /Background\.make: concurrency must be an integer of at least 1, got 0/)
  })
})

describe("leaks", () => {
  it("a million tasks that are forgotten leave nothing behind, nor do others", async () => {
    let failures = 0
    const background = Background.makeUnsafe({ onError: () => Effect.sync(() => failures++) })
    const n = 10_000
    const chunk = Effect.gen(function* () {
      for (let i = 0; i < n; i++) yield* background.fireAndForget(i % 100 === 0 ? Effect.fail("oops") : Effect.void)
      for (let i = 0; i < n / 100; i++) yield* background.start(Effect.never)
      for (let i = 0; i < n / 100; i++) yield* background.run(Effect.void)
      yield* background.cancelAll
      yield* background.awaitEmpty
    })
    await Effect.runPromise(chunk)
    const before = await heap()
    for (let i = 0; i < 100; i++) await Effect.runPromise(chunk)
    // A task is some hundred bytes, which would be 300 MB and more. What the engine keeps of its own differs, by some MB.
    assert.isBelow((await heap()) - before, 20)
    assert.deepStrictEqual(stats(background), {
      size: 0,
      queued: 0,
      succeeded: 101 * (n - n / 100 + n / 100),
      failed: 101 * (n / 100),
      cancelled: 101 * (n / 100),
      isClosed: false
    })
    assert.strictEqual(failures, 101 * (n / 100))
  }, 240_000)
})
