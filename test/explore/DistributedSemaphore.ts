import { Effect } from "effect"
import { cameToRest, comesToRest, Inside, options, passHeldUp, SlowStore, unlessHeldUp } from "./DistributedMutex.js"
import type { Explored, Library } from "./scenario.js"
import { ended, fork, same, settled } from "./tools.js"

const primitive = "DistributedSemaphore"

const limit = 2

const make = ({ distributed, promiseDistributed }: Library, store = new SlowStore()) =>
  Effect.map(distributed.DistributedSemaphore.make({ ...options, limit }, store), (semaphore) => ({
    semaphore,
    store,
    view: promiseDistributed.DistributedSemaphore.from(semaphore),
    inside: new Inside(limit)
  }))

export const scenarios: ReadonlyArray<Explored> = [
  {
    primitive,
    name: "no more are held than there are, and all come back, whatever is asked for and whoever is interrupted",
    options: { interrupt: true },
    scenario: (library) =>
      Effect.gen(function* () {
        const { inside, semaphore, store, view } = yield* make(library)
        const a = yield* fork("a", unlessHeldUp(semaphore.withPermit("x", inside.body("a"))))
        const b = yield* fork(
          "b",
          unlessHeldUp(
            semaphore.withPermits("x", 2, (lease) => {
              same(lease.permits, 2, "permits")
              return inside.body("b")(lease)
            })
          )
        )
        const c = yield* fork("c", unlessHeldUp(semaphore.withPermit("x", inside.body("c"))))
        yield* ended(a, b, c)
        yield* comesToRest(store, () => view.stats())
      })
  },
  {
    primitive,
    name: "fibers and async functions share what there is, and all of it comes back, whoever is interrupted",
    models: ["taskOrder", "aggressive"],
    options: { interrupt: true },
    scenario: (library) => async (tasks) => {
      let made: Effect.Effect.Success<ReturnType<typeof make>> | undefined
      await settled(
        tasks.fork(
          "begin",
          Effect.map(make(library), (it) => void (made = it))
        )
      )
      if (made === undefined) return
      const { inside, semaphore, store, view } = made
      const fiber = tasks.fork("fiber", unlessHeldUp(semaphore.withPermit("x", inside.body("fiber"))))
      const task = tasks.spawn("task", ({ signal }) =>
        view
          .run("x", () => same(inside.inside, 0, "others inside, of one who holds all"), { signal, permits: 2 })
          .catch(passHeldUp)
      )
      const other = tasks.fork("other", unlessHeldUp(semaphore.withPermit("x", inside.body("other"))))
      await settled<unknown>(fiber, task, other)
      await cameToRest(store, () => view.stats())
    }
  },
  {
    primitive,
    name: "promises: as many as there are permits, and a larger request is not overtaken, whoever is aborted",
    models: ["taskOrder"],
    options: { interrupt: ["large", "small"] },
    scenario:
      ({ promiseDistributed: { DistributedSemaphore, leaseStoreMemory } }) =>
      async (tasks) => {
        const semaphore = new DistributedSemaphore(leaseStoreMemory(), { ...options, limit })
        const arrived: Array<string> = []
        const order: Array<string> = []
        const use = (name: string, permits: number) =>
          tasks.spawn(name, ({ signal, step }) => {
            arrived.push(name)
            return semaphore.run(
              "x",
              async () => {
                order.push(name)
                await step("inside")
              },
              { signal, permits }
            )
          })
        await settled(use("first", 1), use("large", 2), use("small", 1))
        same(
          order,
          arrived.filter((name) => order.includes(name)),
          "the order of those who had permits"
        )
        await new Promise((resolve) => setTimeout(resolve, 20))
        same(semaphore.stats(), { held: 0, waiting: 0 }, "stats")
      }
  }
]
