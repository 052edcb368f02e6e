import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { between, claim, ended, fork, judge, pause, Recording, same, settled } from "./tools.js"

const primitive = "Mutex"

const make = ({ effect, promise }: Library) => {
  const mutex = effect.Mutex.makeUnsafe()
  const view = promise.Mutex.from(mutex)
  let inside = 0
  const enter = () => claim(++inside === 1, `${inside} are inside`)
  const leave = () => void inside--
  const use = between(enter, pause, leave)
  const atRest = () => same(view.stats(), { capacity: 1, inUse: 0, waiting: 0 }, "at rest")
  return { mutex, view, use, enter, leave, atRest }
}

const judgement = judge(models.mutex())

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "one at a time, and it is free in the end, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, mutex, use } = make(library)
        const a = yield* fork("a", mutex.withLock(use))
        const b = yield* fork("b", mutex.withLock(use))
        const c = yield* fork("c", mutex.withLock(use))
        yield* ended(a, b, c)
        atRest()
      })
  },
  {
    primitive,
    name: "a lock that is granted to one who is interrupted goes to the next",
    options: { interrupt: ["first"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, mutex, use } = make(library)
        const holder = yield* fork("holder", mutex.withLock(use))
        const first = yield* fork("first", mutex.withLock(use))
        const next = yield* fork("next", mutex.withLock(use))
        yield* ended(holder, first)
        claim(Exit.isSuccess(yield* next.await), "the next did not get the lock")
        atRest()
      })
  },
  {
    primitive,
    name: "an interruption in the same tick as the release loses no lock",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, mutex, use, view } = make(library)
        const first = yield* fork("first", Effect.zipRight(mutex.withLock(use), mutex.withLock(use)))
        const holder = yield* fork(
          "holder",
          Effect.zipRight(mutex.withLock(pause), Effect.asVoid(first.interruptAsFork(first.id())))
        )
        const next = yield* fork("next", mutex.withLock(use))
        yield* ended(holder, first)
        claim(Exit.isSuccess(yield* next.await), "the next did not get the lock")
        claim(!view.isLocked, "it is locked in the end")
        atRest()
      })
  },
  {
    primitive,
    name: "the lock is granted in order of arrival, by priority, and nobody overtakes",
    scenario: (library) =>
      Effect.suspend(() => {
        const { atRest, mutex, view } = make(library)
        const { section, ...recording } = new Recording(judgement, () => view.stats().waiting)
        return Effect.gen(function* () {
          const a = yield* fork("a", section("a", ["acquire"], mutex.withLock))
          const b = yield* fork("b", section("b", ["acquire", 0], mutex.withLockPriority(0)))
          const c = yield* fork(
            "c",
            Effect.zipRight(
              section("c", ["acquireIfAvailable"], mutex.withLockIfAvailable, Effect.void),
              section("c", ["acquire", 1], mutex.withLockPriority(1))
            )
          )
          yield* ended(a, b, c)
          atRest()
          judgement(recording.recorder.historyAtRest)
        })
      })
  },
  {
    primitive,
    name: "the lock for a scope, and that which is only taken if available, are free in the end",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, mutex, use } = make(library)
        const a = yield* fork("a", Effect.scoped(Effect.zipRight(mutex.acquire(), use)))
        const b = yield* fork("b", mutex.withLockIfAvailable(use))
        const c = yield* fork("c", Effect.scoped(Effect.zipRight(mutex.acquire({ priority: 1 }), use)))
        yield* ended<unknown>(a, b, c)
        atRest()
      })
  },
  {
    primitive,
    name: "a body that fails releases the lock",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, mutex, use } = make(library)
        const fails = yield* fork("fails", Effect.exit(mutex.withLock(Effect.zipRight(use, Effect.fail("no")))))
        const dies = yield* fork("dies", Effect.exit(mutex.withLock(Effect.zipRight(use, Effect.die("no")))))
        const next = yield* fork("next", mutex.withLock(use))
        yield* ended<unknown>(fails, dies, next)
        atRest()
      })
  },
  {
    primitive,
    name: "promises: one at a time, in order of arrival, and free in the end, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: true },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const mutex = new promise.Mutex()
        const arrived: Array<string> = []
        const order: Array<string> = []
        let inside = 0
        const runs = (name: string) =>
          tasks.spawn(name, ({ signal, step }) => {
            arrived.push(name)
            return mutex.run(
              async () => {
                order.push(name)
                claim(++inside === 1, "two are inside")
                await step("inside")
                inside--
              },
              { signal }
            )
          })
        const leases = tasks.spawn("lease", async ({ signal, step }) => {
          arrived.push("lease")
          const lease = await mutex.acquire({ signal })
          order.push("lease")
          claim(++inside === 1, "two are inside")
          await step("inside")
          inside--
          lease.release()
          lease.release()
        })
        await settled<unknown>(runs("a"), leases, runs("b"))
        same(
          order,
          arrived.filter((name) => order.includes(name)),
          "the order of those who had the lock"
        )
        same(mutex.stats(), { capacity: 1, inUse: 0, waiting: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "fibers and async functions exclude each other, and it is free in the end, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      const { atRest, enter, leave, mutex, use, view } = make(library)
      const task = tasks.spawn("task", ({ signal, step }) =>
        view.run(
          async () => {
            enter()
            await step("inside")
            leave()
          },
          { signal }
        )
      )
      await settled<unknown>(
        tasks.fork("fiber", mutex.withLock(use)),
        task,
        tasks.fork("another fiber", mutex.withLock(use))
      )
      atRest()
    }
  }
]
