/**
 * Scenarios for bugs that need one of their own: an unusual configuration, or a claim that only they break.
 *
 * A bug that a scenario of `test/explore` catches needs none: see `mutants.ts`.
 */
import { Deferred, Effect, Exit, Fiber } from "effect"
import { Explore } from "effect-concurrency/testing"
import type { Explored } from "../explore/scenario.js"

/** Makes a scenario fail. */
const claim = (holds: boolean, message: string): void => {
  if (!holds) throw new Error(message)
}

/** Where at most so many may be at a time. */
const makeRoom = (limit: number) => {
  let inside = 0
  const enter = () => claim(++inside <= limit, `${inside} are inside, of at most ${limit}`)
  const leave = () => void inside--
  const visit = Effect.acquireUseRelease(
    Effect.sync(enter),
    () => Effect.yieldNow(),
    () => Effect.sync(leave)
  )
  return { enter, leave, visit }
}

type Forked = Fiber.RuntimeFiber<unknown, unknown>

const awaitAll = (fibers: ReadonlyArray<Forked>) =>
  Effect.forEach(fibers, (fiber) =>
    Effect.map(Fiber.await(fiber), (exit) => {
      if (Exit.isFailure(exit) && !Exit.isInterrupted(exit)) claim(false, String(exit))
      return exit
    })
  )

/** Interrupted is fine, any other rejection is not. */
const settleAll = async (tasks: ReadonlyArray<Promise<unknown>>): Promise<void> => {
  const fine = new Set(["AbortError", "TimeoutError"])
  for (const result of await Promise.allSettled(tasks))
    if (result.status === "rejected" && !fine.has(result.reason?.name)) throw result.reason
}

/** Takes what an effect gives in the step that gives it: `Effect.map` would be one later, and whoever ends between has lost it himself. */
const receive = <A, E>(self: Effect.Effect<A, E>, f: (value: A) => void): Effect.Effect<void, E> =>
  Effect.flatMap(self, (value) => {
    f(value)
    return Effect.void
  })

const withResolvers = <A>() => {
  let settlers: { resolve: (value: A) => void; reject: (error: unknown) => void }
  const promise = new Promise<A>((resolve, reject) => {
    settlers = { resolve, reject }
  })
  return { promise, ...settlers! }
}

const taskOrder = ["taskOrder"] as const

const semaphore: ReadonlyArray<Explored> = [
  {
    name: "permits that were taken by hand are in somebody's hands",
    primitive: "Semaphore",
    scenario: ({ effect: { Semaphore } }) =>
      Effect.gen(function* () {
        const semaphore = Semaphore.makeUnsafe(1)
        let held = yield* semaphore.take(1)
        const take = receive(semaphore.take(1), (taken) => void (held += taken))
        const release = Effect.suspend(() => {
          held--
          return semaphore.release(1)
        })
        yield* awaitAll([yield* Explore.fork("taker", take), yield* Explore.fork("releaser", release)])
        const { inUse } = yield* semaphore.stats
        claim(inUse === held, `${inUse} permits are taken, and ${held} held`)
      }),
    options: { interrupt: ["taker"] }
  },
  {
    name: "nobody overtakes a large request",
    primitive: "Semaphore",
    scenario: ({ effect: { Semaphore } }) =>
      Effect.gen(function* () {
        const semaphore = Semaphore.makeUnsafe(2)
        const arrived: Array<string> = []
        const began: Array<string> = []
        const use = (name: string, permits: number) => {
          const body = Effect.zipRight(
            Effect.sync(() => began.push(name)),
            Effect.yieldNow()
          )
          const request = semaphore.withPermits(permits)(body)
          return Explore.fork(
            name,
            Effect.suspend(() => {
              arrived.push(name)
              return request
            })
          )
        }
        const fibers = [yield* use("first", 1), yield* use("second", 1), yield* use("large", 2), yield* use("small", 1)]
        yield* awaitAll(fibers)
        const order = (names: ReadonlyArray<string>) =>
          ["first", "second", "small"].map((name) => names.indexOf(name) < names.indexOf("large"))
        claim(`${order(arrived)}` === `${order(began)}`, `they came as ${arrived}, and began as ${began}`)
      }),
    models: taskOrder
  },
  {
    name: "who leaves the head of the queue keeps nobody behind it waiting",
    primitive: "Semaphore",
    scenario: ({ effect: { Semaphore } }) =>
      Effect.gen(function* () {
        const semaphore = Semaphore.makeUnsafe(2)
        const gate = yield* Deferred.make<void>()
        const held = semaphore.withPermit(Deferred.await(gate))
        const holder = yield* Explore.fork("holder", held)
        const large = yield* Explore.fork("large", semaphore.withPermits(2)(Effect.void))
        const small = yield* Explore.fork("small", semaphore.withPermit(Deferred.succeed(gate, undefined)))
        const other = yield* Explore.fork("other", Fiber.interrupt(large))
        yield* awaitAll([holder, large, small, other])
      }),
    models: taskOrder
  },
  {
    name: "who waits at a closed semaphore goes on when it opens",
    primitive: "Semaphore",
    scenario: ({ effect: { Semaphore } }) =>
      Effect.gen(function* () {
        const semaphore = Semaphore.makeUnsafe(0)
        const waiter = yield* Explore.fork("waiter", semaphore.withPermit(Effect.void))
        const opener = yield* Explore.fork("opener", semaphore.resize(1))
        yield* awaitAll([waiter, opener])
      })
  }
]

const mutex: ReadonlyArray<Explored> = [
  {
    name: "an abort before the caller runs counts",
    primitive: "Mutex",
    scenario:
      ({ promise: { Mutex } }) =>
      async ({ spawn }) => {
        const mutex = new Mutex()
        const controller = new AbortController()
        let aborted = false
        const lease = await mutex.acquire()
        const waiter = spawn("waiter", async () => {
          const own = await mutex.acquire({ signal: controller.signal })
          own.release()
          claim(!aborted, "granted after it was aborted")
        })
        const other = spawn("other", async () => {
          lease.release()
          aborted = true
          controller.abort()
        })
        await settleAll([waiter, other])
        claim(mutex.stats().inUse === 0, "the lock is held at the end")
      },
    models: taskOrder
  },
  {
    name: "a function that throws lets go of the lock",
    primitive: "Mutex",
    scenario:
      ({ promise: { Mutex } }) =>
      async ({ spawn }) => {
        const mutex = new Mutex()
        const { enter, leave } = makeRoom(1)
        const visitor = (name: string, end: () => void) =>
          spawn(name, ({ step }) =>
            mutex.run(async () => {
              enter()
              await step()
              leave()
              end()
            })
          )
        const fail = () => {
          throw new DOMException("on purpose", "AbortError")
        }
        await settleAll([visitor("a", fail), visitor("b", () => {})])
      },
    models: taskOrder
  }
]

const event: ReadonlyArray<Explored> = [
  {
    name: "who has gone does not wait for an event",
    primitive: "Event",
    scenario: ({ effect: { Event } }) =>
      Effect.gen(function* () {
        const event = Event.makeUnsafe()
        const waiter = yield* Explore.fork("waiter", event.wait)
        yield* awaitAll([yield* Explore.fork("interrupter", Fiber.interrupt(waiter)), waiter])
        const { waiting } = yield* event.stats
        claim(waiting === 0, `${waiting} wait at the end`)
      }),
    models: taskOrder
  }
]

const condition: ReadonlyArray<Explored> = [
  {
    name: "a notification is not lost with the waiter that it was for",
    primitive: "Condition",
    scenario: ({ effect: { Condition } }) =>
      Effect.gen(function* () {
        const condition = Condition.makeUnsafe()
        const taken = yield* Deferred.make<void>()
        const got = new Set<string>()
        let items = 0
        const consume = (name: string) =>
          receive(
            condition.waitFor(() => items > 0),
            () => {
              items--
              got.add(name)
              Deferred.unsafeDone(taken, Effect.void)
            }
          )
        const produce = condition.withLock(
          Effect.zipRight(
            Effect.sync(() => items++),
            condition.notify()
          )
        )
        const first = yield* Explore.fork("first", condition.withLock(consume("first")))
        const second = yield* Explore.fork("second", condition.withLock(consume("second")))
        yield* awaitAll([yield* Explore.fork("producer", produce)])
        // One of them gets it: if not the one who is gone, then the other.
        yield* Deferred.await(taken)
        if (got.size < 2) yield* produce
        yield* awaitAll([first, second])
        claim(got.has("second"), "the other has not got its item")
      }),
    options: { interrupt: ["first"] }
  },
  {
    name: "an async function whose wait is aborted has the lock when it goes on",
    primitive: "Condition",
    scenario:
      ({ promise: { Condition } }) =>
      async ({ spawn }) => {
        const condition = new Condition()
        const { enter, leave } = makeRoom(1)
        let gone = false
        const visit = async (step: () => Promise<void>) => {
          enter()
          await step()
          leave()
        }
        const waiter = spawn("waiter", ({ signal, step }) =>
          condition.run(async () => {
            try {
              if (!gone) await condition.wait({ signal })
            } finally {
              await visit(step)
            }
          })
        )
        const notifier = spawn("notifier", ({ step }) =>
          condition.run(async () => {
            await visit(step)
            gone = true
            condition.notifyAll()
          })
        )
        await settleAll([waiter, notifier])
      },
    options: { interrupt: ["waiter"] },
    models: taskOrder
  },
  {
    name: "a timeout is of the whole wait for a predicate",
    primitive: "Condition",
    scenario:
      ({ promise: { Condition } }) =>
      async ({ spawn }) => {
        const condition = new Condition()
        let gone = false
        const waiter = spawn("waiter", () =>
          condition.run(async () => {
            try {
              await condition.waitFor(() => false, { timeout: 25 })
            } finally {
              gone = true
            }
          })
        )
        const notifier = spawn("notifier", async () => {
          for (let time = 0; time < 50 && !gone; time += 10) {
            await condition.run(() => condition.notifyAll())
            await new Promise((go) => setTimeout(go, 10))
          }
          claim(gone, "it still waits after twice its timeout")
        })
        await settleAll([waiter, notifier])
      },
    models: taskOrder
  }
]

const barrier: ReadonlyArray<Explored> = [
  {
    name: "the action of a barrier runs once a round, and before anybody passes",
    primitive: "Barrier",
    scenario: ({ effect: { Barrier } }) =>
      Effect.gen(function* () {
        let actions = 0
        let passed = 0
        const action = Effect.zipRight(
          Effect.yieldNow(),
          Effect.sync(() => actions++)
        )
        const barrier = Barrier.makeUnsafe(2, { action })
        const party = Effect.map(barrier.await, () => {
          claim(++passed <= actions * 2, `${passed} have passed after ${actions} actions`)
        })
        const fibers: Array<Forked> = []
        for (const name of ["a", "b", "c", "d"]) fibers.push(yield* Explore.fork(name, party))
        yield* awaitAll(fibers)
        claim(actions === 2, `${actions} actions for 2 rounds`)
      })
  },
  {
    name: "who withdraws from a barrier leaves its place to another",
    primitive: "Barrier",
    scenario: ({ effect: { Barrier } }) =>
      Effect.gen(function* () {
        const barrier = Barrier.makeUnsafe(3)
        const got: Array<number> = []
        const party = Effect.map(barrier.await, (index) => got.push(index))
        const gone = yield* Explore.fork("gone", party)
        const others = [yield* Explore.fork("a", party), yield* Explore.fork("b", party)]
        yield* awaitAll([yield* Explore.fork("interrupter", Fiber.interrupt(gone)), gone])
        // Either the three have met, or two wait for another.
        while (others.some((fiber) => fiber.unsafePoll() === null)) {
          if ((yield* barrier.stats).waiting === 2) yield* party
          yield* Effect.yieldNow()
        }
        claim(new Set(got).size === got.length && Math.max(...got) < 3, `indices ${got}`)
      }),
    models: taskOrder
  },
  {
    name: "an interruption breaks the round that it is in, or none",
    primitive: "Barrier",
    scenario: ({ effect: { Barrier } }) =>
      Effect.gen(function* () {
        let acted = false
        const barrier = Barrier.makeUnsafe(2, {
          action: Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => (acted = true))
          ),
          onInterrupt: "break"
        })
        const victim = yield* Explore.fork("victim", barrier.await)
        const party = yield* Explore.fork("party", barrier.await)
        const other = yield* Explore.fork("other", Fiber.interrupt(victim))
        yield* Fiber.await(other)
        for (; party.unsafePoll() === null; yield* Effect.yieldNow())
          if ((yield* barrier.stats).waiting === 1) yield* barrier.abort
        const exit = yield* Fiber.await(party)
        // Whose action was done has passed, and who has passed does not find a broken barrier because somebody who had, too, is gone.
        claim(Exit.isSuccess(exit) === acted, `the action was ${acted ? "" : "not "}done, and the party: ${exit}`)
      }),
    models: taskOrder
  },
  {
    name: "an action that fails wakes everybody",
    primitive: "Barrier",
    scenario: ({ effect: { Barrier } }) =>
      Effect.gen(function* () {
        const action = Effect.zipRight(Effect.yieldNow(), Effect.fail("on purpose"))
        const barrier = Barrier.makeUnsafe(2, { action })
        const fibers = [yield* Explore.fork("a", barrier.await), yield* Explore.fork("b", barrier.await)]
        for (const exit of yield* Effect.forEach(fibers, Fiber.await)) claim(Exit.isFailure(exit), "it has passed")
      })
  },
  {
    name: "an async function whose action fails wakes everybody",
    primitive: "Barrier",
    scenario:
      ({ promise: { Barrier } }) =>
      async ({ spawn }) => {
        const action = () => Promise.reject(new DOMException("on purpose", "AbortError"))
        const barrier = new Barrier(2, { action })
        const ends = ["a", "b"].map((name) => spawn(name, () => barrier.wait()))
        for (const { status } of await Promise.allSettled(ends)) claim(status === "rejected", "it has passed")
      },
    models: taskOrder
  }
]

const workQueue: ReadonlyArray<Explored> = [
  {
    name: "offers get in in order of arrival",
    primitive: "WorkQueue",
    scenario: ({ effect: { WorkQueue } }) =>
      Effect.gen(function* () {
        const queue = WorkQueue.makeUnsafe<number>({ capacity: 1 })
        yield* queue.offer(0)
        const arrived = [0]
        const offer = (item: number) =>
          Effect.suspend(() => {
            arrived.push(item)
            return queue.offer(item)
          })
        yield* Explore.fork("a", offer(1))
        yield* Explore.fork("b", offer(2))
        while ((yield* queue.stats).offerers < 2) yield* Effect.yieldNow()
        const got = [yield* queue.take, yield* queue.take, yield* queue.take]
        claim(`${got}` === `${arrived}`, `${arrived} were offered, and ${got} came out`)
      }),
    models: taskOrder
  },
  {
    name: "what a sliding queue dropped is not waited for",
    primitive: "WorkQueue",
    scenario: ({ effect: { WorkQueue } }) =>
      Effect.gen(function* () {
        const queue = WorkQueue.makeUnsafe<number>({ capacity: 1, strategy: "sliding" })
        const producer = yield* Explore.fork(
          "producer",
          Effect.forEach([1, 2], (item) => queue.offer(item))
        )
        yield* Fiber.join(producer)
        const worker = yield* Explore.fork(
          "worker",
          queue.consume(() => Effect.void)
        )
        yield* queue.join
        yield* queue.end
        yield* Fiber.join(worker)
      })
  },
  {
    name: "an offer that was interrupted may be made again",
    primitive: "WorkQueue",
    scenario: ({ effect: { WorkQueue } }) =>
      Effect.gen(function* () {
        const queue = WorkQueue.makeUnsafe<number>({ capacity: 1 })
        yield* queue.offer(0)
        const offerer = yield* Explore.fork("offerer", queue.offer(1))
        const taker = yield* Explore.fork("taker", queue.take)
        const exit = yield* Fiber.await(offerer)
        yield* Fiber.join(taker)
        const left = yield* queue.shutdown
        const expected = Exit.isInterrupted(exit) ? "" : "1"
        claim(
          `${left}` === expected,
          `the offer was ${expected === "" ? "" : "not "}interrupted, and ${left || "nothing"} is in`
        )
      }),
    options: { interrupt: ["offerer"] },
    models: taskOrder
  },
  {
    name: "an iterator that was left takes nothing more",
    primitive: "WorkQueue",
    scenario:
      ({ promise: { WorkQueue } }) =>
      async ({ spawn }) => {
        const queue = new WorkQueue<number>()
        const got: Array<number> = []
        const iterator = queue[Symbol.asyncIterator]()
        const reader = spawn("reader", async () => {
          const { done, value } = await iterator.next()
          if (done !== true) got.push(value)
        })
        let left = false
        const leaver = spawn("leaver", async () => {
          await iterator.return!()
          left = true
        })
        const producer = spawn("producer", async () => {
          const late = left
          await queue.offer(1)
          claim(!late || queue.size === 1, "it is taken after the iterator was left")
        })
        await settleAll([leaver, producer, reader])
        claim(got.length + queue.size === 1, `${got.length} was taken and ${queue.size} left, of 1`)
      },
    models: taskOrder
  }
]

const wait: ReadonlyArray<Explored> = [
  {
    name: "an interrupted caller keeps nobody",
    primitive: "Wait",
    scenario: ({ effect: { Wait } }) =>
      Effect.gen(function* () {
        let running = 0
        const member = Effect.acquireUseRelease(
          Effect.sync(() => running++),
          () => Effect.never,
          () => Effect.sync(() => running--)
        )
        const caller = yield* Explore.fork("caller", Wait.firstSuccess([member, member], { losers: "keep" }))
        yield* awaitAll([yield* Explore.fork("interrupter", Fiber.interrupt(caller)), caller])
        claim(running === 0, `${running} run on`)
      }),
    models: taskOrder
  },
  {
    name: "nobody starts when one has answered, although another fails then",
    primitive: "Wait",
    scenario:
      ({ promise: { Wait } }) =>
      async ({ spawn }) => {
        const [first, second, begun] = [withResolvers<string>(), withResolvers<string>(), withResolvers<void>()]
        let started = false
        const begin = () => {
          begun.resolve()
          return second.promise
        }
        const last = () => {
          started = true
          return "last"
        }
        const caller = spawn("caller", () =>
          Wait.staggered([() => first.promise, begin, last], 5, { onError: () => {} })
        )
        const decider = spawn("decider", async () => {
          await begun.promise
          first.resolve("first")
          second.reject(new Error("on purpose"))
        })
        await settleAll([caller, decider])
        claim((await caller) === "first" && !started, "it started another")
      },
    models: taskOrder
  }
]

const background: ReadonlyArray<Explored> = [
  {
    name: "all are cancelled, and not only the first",
    primitive: "Background",
    scenario: ({ effect: { Background } }) =>
      Effect.gen(function* () {
        const background = Background.makeUnsafe()
        yield* awaitAll([
          yield* Explore.fork("a", background.fireAndForget(Effect.never)),
          yield* Explore.fork("b", background.fireAndForget(Effect.never))
        ])
        yield* awaitAll([yield* Explore.fork("canceller", background.cancelAll)])
        claim((yield* background.size) === 0, "not all have ended")
      }),
    models: taskOrder
  }
]

const taskGroup: ReadonlyArray<Explored> = [
  {
    name: "a task that comes when its group stops is refused, or told to stop",
    primitive: "TaskGroup",
    scenario: ({ effect: { TaskGroup } }) =>
      TaskGroup.run((group) =>
        Effect.gen(function* () {
          const canceller = yield* Explore.fork("canceller", group.cancel)
          yield* Effect.exit(group.start(Effect.never))
          yield* Fiber.join(canceller)
          yield* Effect.exit(group.start(Effect.never))
        })
      ),
    models: taskOrder
  }
]

export const scenarios: ReadonlyArray<Explored> = [
  ...semaphore,
  ...mutex,
  ...event,
  ...condition,
  ...barrier,
  ...workQueue,
  ...wait,
  ...background,
  ...taskGroup
]
