import { Effect } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { atOnce, claim, ended, fork, judge, pause, Recording, same, settled } from "./tools.js"

const primitive = "Condition"

const make = ({ effect, promise }: Library) => {
  const condition = effect.Condition.makeUnsafe()
  const view = promise.Condition.from(condition)
  let inside = 0
  const enter = () => claim(++inside === 1, `${inside} have the lock`)
  const leave = () => void inside--
  /** Inside with the lock. A wait goes out, and comes back in however it ends. */
  const locked = <A>(self: Effect.Effect<A>) =>
    condition.withLock(
      Effect.uninterruptibleMask((restore) => {
        enter()
        return Effect.ensuring(restore(self), Effect.sync(leave))
      })
    )
  const outside = (self: Effect.Effect<void>) =>
    Effect.uninterruptibleMask((restore) => {
      leave()
      return Effect.ensuring(restore(self), Effect.sync(enter))
    })
  const atRest = () => same(view.stats(), { isLocked: false, waiting: 0, waitingForLock: 0 }, "at rest")
  return { condition, view, locked, outside, enter, leave, atRest }
}

const judgement = judge(models.condition())
const asPromises = judge(models.condition())

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "a notification of one who is interrupted goes to the next",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition, locked } = make(library)
        let tokens = 0
        const got: Array<string> = []
        // In the step in which the wait ends: who is interrupted after that has used his notification.
        const takes = (name: string) =>
          condition.withLock(
            atOnce(
              condition.waitFor(() => tokens > 0),
              () => {
                tokens--
                got.push(name)
              }
            )
          )
        const puts = locked(
          Effect.suspend(() => {
            tokens++
            return condition.notify(1)
          })
        )
        const first = yield* fork("first", takes("first"))
        const second = yield* fork("second", takes("second"))
        const producer = yield* fork("producer", puts)
        const killer = yield* fork("killer", Effect.asVoid(first.interruptAsFork(first.id())))
        yield* ended<unknown>(first, producer, killer)
        // It may have been interrupted when it had what it wanted.
        if (got.includes("first")) yield* puts
        yield* ended(second)
        claim(got.includes("second") && tokens === 0, `${got.join()} got one, ${tokens} are left`)
        atRest()
      })
  },
  {
    primitive,
    name: "who waits holds the lock when the wait ends, also by an interruption, and at most one does",
    options: { interrupt: ["a", "b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition, locked, outside, view } = make(library)
        const waits = locked(outside(condition.wait))
        const a = yield* fork("a", waits)
        const b = yield* fork("b", waits)
        const all = Effect.suspend(() => locked(Effect.zipRight(pause, condition.notifyAll)))
        const c = yield* fork("c", all)
        yield* ended(c)
        // Those who came after the notification get another.
        while (a.unsafePoll() === null || b.unsafePoll() === null) {
          yield* all
          if (view.stats().waiting + view.stats().waitingForLock === 0) yield* Effect.yieldNow()
        }
        yield* ended(a, b)
        atRest()
      })
  },
  {
    primitive,
    name: "a producer and two consumers: nothing is lost and nobody waits for ever",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition, locked } = make(library)
        const items: Array<number> = []
        const got: Array<number> = []
        const consume = locked(Effect.void).pipe(
          Effect.zipRight(
            condition.withLock(
              Effect.zipRight(
                condition.waitFor(() => items.length > 0),
                Effect.sync(() => void got.push(items.shift()!))
              )
            )
          )
        )
        const produce = (item: number) =>
          locked(
            Effect.suspend(() => {
              items.push(item)
              return condition.notify()
            })
          )
        const a = yield* fork("a", consume)
        const b = yield* fork("b", consume)
        const producer = yield* fork("producer", Effect.zipRight(produce(1), produce(2)))
        yield* ended(a, b, producer)
        same(got, [1, 2], "what they got")
        atRest()
      })
  },
  {
    primitive,
    name: "a predicate that fails passes its notification on",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition, locked } = make(library)
        let ready = false
        const fails = yield* fork(
          "fails",
          Effect.exit(
            condition.withLock(
              condition.waitFor(Effect.suspend(() => (ready ? Effect.fail("no") : Effect.succeed(false))))
            )
          )
        )
        const waits = yield* fork("waits", condition.withLock(condition.waitFor(() => ready)))
        const notifier = yield* fork(
          "notifier",
          locked(
            Effect.suspend(() => {
              ready = true
              return condition.notify(1)
            })
          )
        )
        // If it was notified first, it passes that on; if not, it is still there.
        yield* ended<unknown>(waits, notifier)
        yield* locked(condition.notifyAll)
        yield* ended(fails)
        atRest()
      })
  },
  {
    primitive,
    name: "wait, notify and the lock are what its model says",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition, view } = make(library)
        const { call, recorder, section, wait } = new Recording(judgement, () => Number.NaN)
        let ready = false
        const waits = (who: string) =>
          section(
            who,
            ["acquire"],
            condition.withLock,
            Effect.suspend(() => (ready ? Effect.void : wait(who, ["wait"], condition.wait)))
          )
        const a = yield* fork("a", waits("a"))
        const b = yield* fork("b", waits("b"))
        const c = yield* fork(
          "c",
          section(
            "c",
            ["acquire"],
            condition.withLock,
            Effect.suspend(() => {
              // With the lock held: who waits to be notified is in line until he is.
              const both = view.stats().waiting === 2
              if (both) recorder.waiting("a")
              if (both) recorder.waiting("b")
              ready = true
              return Effect.zipRight(
                call("c", ["notify"], condition.notify()),
                call("c", ["notifyAll"], condition.notifyAll)
              )
            })
          )
        )
        yield* ended(a, b, c)
        atRest()
        judgement(recorder.historyAtRest)
      })
  },
  {
    primitive,
    name: "those who wait are notified in order of arrival",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, condition } = make(library)
        const arrived: Array<string> = []
        const woken: Array<string> = []
        const waits = (name: string) =>
          condition.withLock(
            Effect.suspend(() => {
              // Nobody else can come between this and the wait: that takes the lock.
              arrived.push(name)
              return Effect.map(condition.wait, () => void woken.push(name))
            })
          )
        const notifies = Effect.suspend((): Effect.Effect<void> =>
          condition.withLock(Effect.suspend(() => (arrived.length > woken.length ? condition.notify() : Effect.void)))
        )
        const a = yield* fork("a", waits("a"))
        const b = yield* fork("b", waits("b"))
        const c = yield* fork("c", Effect.zipRight(notifies, notifies))
        yield* ended(c)
        while (a.unsafePoll() === null || b.unsafePoll() === null) yield* Effect.zipRight(notifies, Effect.yieldNow())
        same(woken, arrived, "the order of those who were woken")
        atRest()
      })
  },
  {
    primitive,
    name: "promises: a notification of one who is aborted goes to the next",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const condition = new promise.Condition()
        let tokens = 0
        let inside = 0
        const controller = new AbortController()
        const takes = (name: string, signal?: AbortSignal) =>
          tasks.spawn(name, () =>
            condition.run(
              async () => {
                await condition.waitFor(() => tokens > 0, { signal })
                claim(++inside === 1, "two have the lock")
                tokens--
                inside--
              },
              { signal }
            )
          )
        const puts = (name: string) =>
          tasks.spawn(name, () =>
            condition.run(() => {
              tokens++
              condition.notify()
            })
          )
        const first = takes("first", controller.signal)
        const second = takes("second")
        const killer = tasks.spawn("killer", () => controller.abort())
        const [result] = await settled(first, puts("producer"), killer)
        if (result!.status === "fulfilled") await puts("another producer")
        await settled(second)
        same(condition.stats(), { isLocked: false, waiting: 0, waitingForLock: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "promises: wait, notify and the lock are what its model says",
    models: ["taskOrder"],
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const condition = new promise.Condition()
        const { recorder } = new Recording(asPromises, () => 0)
        let ready = false
        const within = async (who: string, body: () => Promise<void> | void) => {
          const lease = await recorder
            .promise(who, ["acquire"], () =>
              condition.acquire().then((lease) => {
                leases.set(who, lease)
              })
            )
            .then(() => leases.get(who)!)
          await body()
          recorder.sync(who, ["release"], () => lease.release())
        }
        const leases = new Map<string, { readonly release: () => void }>()
        const waits = (who: string) =>
          tasks.spawn(who, () =>
            within(who, async () => {
              if (!ready) await recorder.promise(who, ["wait"], () => condition.wait())
            })
          )
        const notifies = tasks.spawn("c", ({ step }) =>
          within("c", async () => {
            ready = true
            recorder.sync("c", ["notify"], () => condition.notify())
            await step("with the lock")
            recorder.sync("c", ["notifyAll"], () => condition.notifyAll())
          })
        )
        await settled(waits("a"), waits("b"), notifies)
        same(condition.stats(), { isLocked: false, waiting: 0, waitingForLock: 0 }, "at rest")
        asPromises(recorder.historyAtRest)
      }
  },
  {
    primitive,
    name: "a fiber notifies an async function, and an async function a fiber",
    models: ["taskOrder", "aggressive"],
    scenario: (library) => async (tasks) => {
      const { atRest, condition, enter, leave, locked, view } = make(library)
      let turn = 0
      const fiber = tasks.fork(
        "fiber",
        Effect.zipRight(
          condition.withLock(
            Effect.zipRight(
              condition.waitFor(() => turn === 1),
              Effect.suspend(() => {
                turn = 2
                return condition.notifyAll
              })
            )
          ),
          locked(Effect.void)
        )
      )
      const task = tasks.spawn("task", ({ step }) =>
        view.run(async () => {
          enter()
          await step("inside")
          turn = 1
          view.notifyAll()
          leave()
          await view.waitFor(() => turn === 2)
          enter()
          leave()
        })
      )
      await settled<unknown>(fiber, task)
      atRest()
    }
  }
]
