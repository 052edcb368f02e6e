import { Effect, Exit } from "effect"
import * as models from "../testing/models.js"
import type { Explored, Library } from "./scenario.js"
import { claim, ended, fork, judge, pause, Recording, same, settled, atOnce } from "./tools.js"

const primitive = "WorkQueue"

type Options = NonNullable<Parameters<Library["effect"]["WorkQueue"]["makeUnsafe"]>[0]>

const make = ({ effect, promise }: Library, options: Options = {}) => {
  const queue = effect.WorkQueue.makeUnsafe<number, string>(options as { readonly capacity?: number })
  const view = promise.WorkQueue.from(queue)
  const atRest = () => {
    const { inUse, offerers, size, takers } = view.stats()
    same({ size, takers, offerers }, { size: 0, takers: 0, offerers: 0 }, "at rest")
    return inUse
  }
  /** Ends without a failure where the queue is closed. */
  const unlessClosed = <A>(self: Effect.Effect<A, { readonly _tag: string } | string>) =>
    Effect.catchAll(self, (error) =>
      typeof error === "object" && error._tag === "QueueClosed" ? Effect.succeed(undefined) : Effect.fail(error)
    )
  return { queue, view, atRest, unlessClosed }
}

/** Every item that was certainly offered is there once, every other that is there is one of those that may have been, in order. */
const accounts = (found: ReadonlyArray<number>, certain: ReadonlyArray<number>, possible: ReadonlyArray<number>) => {
  const all = found.slice().sort((a, b) => a - b)
  for (const item of certain) claim(all.includes(item), `${item} is lost: there are ${all.join()}`)
  claim(new Set(all).size === all.length, `there are some twice: ${all.join()}`)
  for (const item of all) claim(possible.includes(item), `${item} was never offered`)
}

const model = (options: models.WorkQueueOptions<number>) => judge(models.workQueue<number>(options))

const ofOne = model({ capacity: 1 })
const closing = model({ capacity: 1 })
const unbounded = model({})
const sliding = model({ capacity: 1, strategy: "sliding" })
const dropping = model({ capacity: 1, strategy: "dropping" })
const rejecting = model({ capacity: 1, strategy: "reject" })
const asPromises = model({ capacity: 1 })

/** Two who offer by a strategy that does not wait, and one who takes. */
const strategyScenario =
  (strategy: "sliding" | "dropping" | "reject", judgement: ReturnType<typeof judge>): Explored["scenario"] =>
  (library) =>
    Effect.gen(function* () {
      const { queue, view } = make(library, { capacity: 1, strategy })
      const { call, recorder, wait } = new Recording(judgement, () => view.stats().waiting)
      const offer = (who: string, item: number) => Effect.exit(call(who, ["offer", item], queue.offer(item)))
      const a = yield* fork("a", Effect.zipRight(offer("a", 1), offer("a", 2)))
      const b = yield* fork("b", Effect.exit(call("b", ["offerAll", [3, 4]], queue.offerAll([3, 4]))))
      const c = yield* fork(
        "c",
        Effect.zipRight(wait("c", ["take"], queue.take), call("c", ["tryTake"], queue.tryTake))
      )
      yield* ended<unknown>(a, b, c)
      yield* call("main", ["size"], queue.size)
      judgement(recorder.historyAtRest)
    })

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no item is lost or there twice, whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library, { capacity: 1 })
        const offered: Array<number> = []
        const taken: Array<number> = []
        const offer = (item: number) => atOnce(queue.offer(item), () => offered.push(item))
        const take = atOnce(queue.take, (item) => taken.push(item))
        const producer = yield* fork("producer", Effect.zipRight(offer(1), offer(2)))
        const taker = yield* fork("taker", take)
        const other = yield* fork("other", offer(3))
        // Whoever waits for an item or for room that does not come is sent home.
        const [exit] = yield* ended<unknown>(taker)
        if (Exit.isSuccess(exit!)) same(taken.length, 1, "how many were taken")
        const left: Array<number> = []
        while (producer.unsafePoll() === null || other.unsafePoll() === null) {
          for (let item = view.tryTake(); item !== undefined; item = view.tryTake()) left.push(item)
          yield* Effect.yieldNow()
        }
        yield* ended<unknown>(producer, other)
        left.push(...view.shutdown())
        const found = [...taken, ...left]
        accounts(found, offered, [1, 2, 3])
        same(found.indexOf(1) < 0 || found.indexOf(2) < 0 || found.indexOf(1) < found.indexOf(2), true, "1 before 2")
        atRest()
      })
  },
  {
    primitive,
    name: "an item that was delivered to one who is interrupted goes to the next",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue } = make(library)
        const taken: Array<string> = []
        const take = (name: string) => atOnce(queue.take, (item) => taken.push(`${name} ${item}`))
        const first = yield* fork("first", take("first"))
        const second = yield* fork("second", take("second"))
        const producer = yield* fork("producer", queue.offer(1))
        const killer = yield* fork("killer", Effect.asVoid(first.interruptAsFork(first.id())))
        yield* ended<unknown>(first, producer, killer)
        // It may have been interrupted when it had what it wanted.
        const had = taken.includes("first 1")
        if (had) yield* queue.offer(2)
        yield* ended<unknown>(second)
        claim(taken.includes(had ? "second 2" : "second 1"), `what was taken: ${taken.join()}`)
        atRest()
      })
  },
  {
    primitive,
    name: "offer, take, tryOffer and tryTake are what its model says, in order of arrival",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library, { capacity: 1 })
        const { call, recorder, wait } = new Recording(ofOne, () => view.stats().waiting)
        const a = yield* fork(
          "a",
          Effect.zipRight(wait("a", ["offer", 1], queue.offer(1)), wait("a", ["offer", 2], queue.offer(2)))
        )
        const b = yield* fork(
          "b",
          Effect.zipRight(wait("b", ["take"], queue.take), call("b", ["tryOffer", 4], queue.tryOffer(4)))
        )
        const c = yield* fork("c", Effect.zipRight(call("c", ["peek"], queue.peek), wait("c", ["take"], queue.take)))
        yield* ended<unknown>(a, b, c)
        yield* call("main", ["tryTake"], queue.tryTake)
        ofOne(recorder.historyAtRest)
        atRest()
      })
  },
  {
    primitive,
    name: "of two who wait for items each gets its own, also when many are offered and taken at once",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library)
        const { call, recorder, wait } = new Recording(unbounded, () => view.stats().waiting)
        const a = yield* fork("a", wait("a", ["take"], queue.take))
        const b = yield* fork("b", wait("b", ["takeUpTo", 2], queue.takeUpTo(2)))
        const c = yield* fork(
          "c",
          Effect.zipRight(
            wait("c", ["offerAll", [1, 2]], queue.offerAll([1, 2])),
            wait("c", ["offer", 3], queue.offer(3))
          )
        )
        yield* ended<unknown>(a, b, c)
        yield* call("main", ["shutdown"], queue.shutdown)
        unbounded(recorder.historyAtRest)
        atRest()
      })
  },
  {
    primitive,
    name: "whoever waits when the queue ends is told, and what was in it is taken first",
    options: { interrupt: ["b"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library, { capacity: 1 })
        const { call, recorder, wait } = new Recording(closing, () => view.stats().waiting)
        const a = yield* fork(
          "a",
          Effect.zipRight(
            Effect.exit(wait("a", ["offer", 1], queue.offer(1))),
            Effect.exit(wait("a", ["offer", 2], queue.offer(2)))
          )
        )
        const b = yield* fork("b", Effect.exit(wait("b", ["take"], queue.take)))
        const c = yield* fork(
          "c",
          Effect.zipRight(call("c", ["end"], queue.end), Effect.exit(wait("c", ["take"], queue.take)))
        )
        yield* ended<unknown>(a, b, c)
        yield* call("main", ["shutdown"], queue.shutdown)
        closing(recorder.historyAtRest)
        atRest()
      })
  },
  {
    primitive,
    name: "a failure of the queue reaches those who wait and those who come",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library, { capacity: 1 })
        const { call, recorder, wait } = new Recording(closing, () => view.stats().waiting)
        const a = yield* fork("a", Effect.exit(wait("a", ["takeAll"], queue.takeAll)))
        const b = yield* fork("b", Effect.exit(wait("b", ["offer", 1], queue.offer(1))))
        const c = yield* fork(
          "c",
          Effect.zipRight(
            call("c", ["fail", "no"], queue.fail("no")),
            Effect.exit(call("c", ["tryTake"], queue.tryTake))
          )
        )
        yield* ended<unknown>(a, b, c)
        yield* call("main", ["shutdown"], queue.shutdown)
        closing(recorder.historyAtRest)
        atRest()
      })
  },
  {
    primitive,
    name: "what shutdown gives and what was taken is all that was offered",
    options: { interrupt: ["producer", "taker"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, unlessClosed } = make(library, { capacity: 1 })
        const offered: Array<number> = []
        const taken: Array<number> = []
        const left: Array<number> = []
        const offer = (item: number) => atOnce(queue.offer(item), () => offered.push(item))
        const producer = yield* fork("producer", unlessClosed(Effect.zipRight(offer(1), offer(2))))
        const taker = yield* fork("taker", unlessClosed(atOnce(queue.take, (item) => taken.push(item))))
        const closer = yield* fork(
          "closer",
          Effect.zipRight(
            pause,
            atOnce(queue.shutdown, (items) => left.push(...items))
          )
        )
        yield* ended<unknown>(producer, taker, closer)
        // What was delivered to one who was interrupted after the shutdown is back in it.
        left.push(...(yield* queue.shutdown))
        accounts([...taken, ...left], offered, [1, 2])
        atRest()
      })
  },
  {
    primitive,
    name: "join ends when all is done, and a failed item comes again if so chosen",
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library)
        const tries: Array<number> = []
        const done: Array<number> = []
        const handler = (item: number) =>
          Effect.suspend((): Effect.Effect<void, string> => {
            tries.push(item)
            const again = tries.filter((each) => each === item).length > 1
            return Effect.zipRight(
              pause,
              item === 1 && !again ? Effect.fail("no") : Effect.sync(() => void done.push(item))
            )
          })
        const consumer = yield* fork("consumer", queue.consume(handler, { onFailure: "requeue", concurrency: 2 }))
        const producer = yield* fork("producer", Effect.zipRight(queue.offer(1), queue.offer(2)))
        yield* ended<unknown>(producer)
        const joiner = yield* fork(
          "joiner",
          Effect.map(queue.join, () => same(done.slice().sort(), [1, 2], "what was done when join ended"))
        )
        yield* ended<unknown>(joiner)
        yield* queue.end
        yield* ended<unknown>(consumer)
        same(view.stats().unfinished, 0, "what is left to do")
        same(tries.slice().sort(), [1, 1, 2], "what was tried")
        same(atRest(), 0, "what is in use")
      })
  },
  {
    primitive,
    name: "a consumer that is interrupted or fails puts its item back, for another",
    options: { interrupt: ["first"] },
    scenario: (library) =>
      Effect.gen(function* () {
        const { atRest, queue, view } = make(library, { capacity: 1 })
        const done: Array<number> = []
        let failed = false
        const first = yield* fork(
          "first",
          Effect.exit(
            queue.consume((item) =>
              Effect.zipRight(
                pause,
                Effect.suspend((): Effect.Effect<void, string> => {
                  if (failed) return Effect.sync(() => void done.push(item))
                  failed = true
                  return Effect.fail("no")
                })
              )
            )
          )
        )
        const producer = yield* fork("producer", Effect.zipRight(queue.offer(1), queue.offer(2)))
        const second = yield* fork(
          "second",
          queue.consume((item) => Effect.sync(() => void done.push(item)))
        )
        yield* ended<unknown>(producer)
        yield* queue.join
        same(done.slice().sort(), [1, 2], "what was done when join ended")
        yield* queue.end
        yield* ended<unknown>(first, second)
        same(view.stats().unfinished, 0, "what is left to do")
        same(atRest(), 0, "what is in use")
      })
  },
  {
    primitive,
    name: "sliding keeps the newest, and is what its model says",
    scenario: strategyScenario("sliding", sliding)
  },
  {
    primitive,
    name: "dropping keeps the oldest, and is what its model says",
    scenario: strategyScenario("dropping", dropping)
  },
  {
    primitive,
    name: "reject refuses what is too much, and is what its model says",
    scenario: strategyScenario("reject", rejecting)
  },
  {
    primitive,
    name: "promises: offer, take and end are what its model says, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["a", "b"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const queue = new promise.WorkQueue<number>({ capacity: 1 })
        const { recorder } = new Recording(asPromises, () => 0)
        const unlessClosed = (promise: Promise<unknown>) =>
          promise.catch((error: { readonly _tag?: string }) => {
            if (error._tag !== "QueueClosed") throw error
          })
        // What is aborted already never stands in line.
        const a = tasks.spawn("a", async ({ signal, step }) => {
          if (signal.aborted) return
          await unlessClosed(recorder.promise("a", ["offer", 1], () => queue.offer(1, { signal })))
          await step()
          if (signal.aborted) return
          await unlessClosed(recorder.promise("a", ["offer", 2], () => queue.offer(2, { signal })))
        })
        const b = tasks.spawn("b", async ({ signal }) => {
          if (!signal.aborted) await unlessClosed(recorder.promise("b", ["take"], () => queue.take({ signal })))
        })
        const c = tasks.spawn("c", async ({ step }) => {
          await step()
          recorder.sync("c", ["end"], () => queue.end())
          await unlessClosed(recorder.promise("c", ["take"], () => queue.take()))
        })
        await settled<unknown>(a, b, c)
        recorder.sync("main", ["shutdown"], () => queue.shutdown())
        asPromises(recorder.historyAtRest)
        const { offerers, size, takers } = queue.stats()
        same({ offerers, size, takers }, { offerers: 0, size: 0, takers: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "promises: consume and join do each item once, also those that failed, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["first"] },
    scenario:
      ({ promise }) =>
      async (tasks) => {
        const queue = new promise.WorkQueue<number>()
        const done: Array<number> = []
        let failed = false
        const first = tasks.spawn("first", ({ signal, step }) =>
          queue
            .consume(
              async (item) => {
                await step("works")
                if (!failed) {
                  failed = true
                  throw new Error("no")
                }
                done.push(item)
              },
              { onFailure: "requeue", signal }
            )
            .catch((error: Error) => {
              // Who is aborted does not hide that its handler failed.
              if (!signal.aborted) throw error
            })
        )
        const second = tasks.spawn("second", ({ step }) =>
          queue.consume(async (item) => {
            await step("works")
            done.push(item)
          })
        )
        const producer = tasks.spawn("producer", async ({ step }) => {
          await queue.offer(1)
          await step()
          await queue.offer(2)
          await queue.join()
          same(done.slice().sort(), [1, 2], "what was done when join ended")
          queue.end()
        })
        await settled<unknown>(first, second, producer)
        const { inUse, size, unfinished } = queue.stats()
        same({ inUse, size, unfinished }, { inUse: 0, size: 0, unfinished: 0 }, "at rest")
      }
  },
  {
    primitive,
    name: "fibers and async functions take from one queue, and no item is lost, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: ["fiber", "task"] },
    scenario: (library) => async (tasks) => {
      const { atRest, queue, view } = make(library)
      const taken: Array<number> = []
      const fiber = tasks.fork(
        "fiber",
        atOnce(queue.take, (item) => taken.push(item))
      )
      const task = tasks.spawn("task", async ({ signal }) => taken.push(await view.take({ signal })))
      const producer = tasks.spawn("producer", async ({ step }) => {
        await view.offer(1)
        await step()
        await view.offer(2)
      })
      await settled<unknown>(fiber, task, producer)
      accounts([...taken, ...view.shutdown()], [1, 2], [1, 2])
      atRest()
    }
  }
]
