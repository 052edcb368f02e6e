/**
 * Bugs, each put into our own sources: the explorer has to catch them all, or a scenario that finds nothing says nothing.
 *
 * To add one: copy a text that occurs once in a source to `find`, and to `replace` what somebody could have written instead. Then
 *
 *     node --import tsx test/mutants/find.ts "part of its name"
 *
 * prints which scenarios catch it, under which model and after how many schedules. Put the cheapest in `caughtBy` and `model`, preferably one of
 * `test/explore`, which are what we trust; write one in `scenarios.ts` for a bug that those do not reach. A bug that nothing catches is either one
 * that the scenarios cannot see, or the code that it replaces does nothing: find out which.
 *
 * When a source has moved on so that `find` does not occur in it any more, the test says so. Make the same mistake in the new code.
 */
import type { Explore } from "effect-concurrency/testing"
import type { Patch } from "./load.js"
import * as executor from "./executor.js"
import * as meetings from "./meetings.js"
import * as queue from "./queue.js"
import * as time from "./time.js"

export interface Mutant extends Patch {
  /** Who has the bug, and what it does: "a semaphore that ...". */
  readonly name: string
  /** The module whose promise it breaks, by its stem. */
  readonly primitive: string
  /** What the mistake is, and who made it. */
  readonly why: string
  /** The name of the scenario that catches it. */
  readonly caughtBy: string
  /** The model that it is caught under. Default "taskOrder". */
  readonly model?: Explore.Model
}

const permits = "src/internal/permits.ts"
const fiberPark = "src/internal/park.ts"
const promisePark = "src/promise/park.ts"
const promisePermits = "src/promise/permits.ts"

const semaphore: ReadonlyArray<Mutant> = [
  {
    name: "a semaphore that enqueues a turn after it has checked",
    primitive: "Semaphore",
    why: "A release between the two finds nobody to wake: the lost wake-up of every hand-written lock, and of the first draft of this one.",
    file: permits,
    find: `  const ticket = enqueue(state, permits, priority)
  return park(
    restore,
    ticket,
    () => core.cancel(state, ticket),
    (grant) => (grant instanceof Error ? Effect.die(grant) : granted(grant))
  )`,
    replace: `  return Effect.flatMap(Effect.yieldNow(), () => {
    const ticket = enqueue(state, permits, priority)
    return park(
      restore,
      ticket,
      () => core.cancel(state, ticket),
      (grant) => (grant instanceof Error ? Effect.die(grant) : granted(grant))
    )
  })`,
    caughtBy: "what was granted to one who is interrupted goes to the next"
  },
  {
    name: "a semaphore that enqueues an operation after it has checked",
    primitive: "Semaphore",
    why: "The same without a yield: only a preemption falls between the two.",
    file: permits,
    find: `  const ticket = enqueue(state, permits, priority)
  return park(
    restore,
    ticket,
    () => core.cancel(state, ticket),
    (grant) => (grant instanceof Error ? Effect.die(grant) : granted(grant))
  )`,
    replace: `  return Effect.flatMap(Effect.forkDaemon(this.dismiss), () => {
    const ticket = enqueue(state, permits, priority)
    return park(
      restore,
      ticket,
      () => core.cancel(state, ticket),
      (grant) => (grant instanceof Error ? Effect.die(grant) : granted(grant))
    )
  })`,
    caughtBy: "after releaseAll nobody gives back what he does not hold any more",
    model: "elastic"
  },
  {
    name: "a semaphore that grants without taking",
    primitive: "Semaphore",
    why: "One release lets in all who wait.",
    file: "src/core/semaphore.ts",
    find: "    state.taken += ticket.request\n    chain",
    replace: "    chain",
    caughtBy: "no more permits are out than there are, and all come back, whoever is interrupted"
  },
  {
    name: "a semaphore that loses a grant on interruption",
    primitive: "Semaphore",
    why: "The grant and the interruption come in the same tick, and the canceller takes a settled ticket for done with. asyncio.Semaphore (python/asyncio #270).",
    file: "src/core/semaphore.ts",
    find: "if (ticket.settled) return giveBack(state, ticket.request, ticket.result!)",
    replace: "if (ticket.settled) return undefined",
    caughtBy: "a wait that a sibling interrupts leaves the line, and keeps nobody behind it waiting"
  },
  {
    name: "a semaphore that holds before it installs the release",
    primitive: "Semaphore",
    why: "An interruption between the two: the permits of a fiber that is gone. Effect 3's withPermits leaks so under the model aggressive.",
    file: permits,
    find: "(epoch) => held(state, permits, epoch, restore(self)))",
    replace: "(epoch) => restore(Effect.flatMap(Effect.void, () => held(state, permits, epoch, restore(self)))))",
    caughtBy: "a wait that a sibling interrupts leaves the line, and keeps nobody behind it waiting"
  },
  {
    name: "a semaphore whose scope gets its finalizer too late",
    primitive: "Semaphore",
    why: "The same for permits that a scope holds.",
    file: permits,
    find: "      Effect.addFinalizer(",
    replace: "      Effect.zipRight(restore(Effect.void), Effect.addFinalizer)(",
    caughtBy: "permits for a scope, and those that are only taken if available, come back"
  },
  {
    name: "a semaphore that handles the end of a wait where it can be interrupted",
    primitive: "Semaphore",
    why: "Effect runs no handler inside a region that is being interrupted, so the ticket stays behind as a ghost, and is granted.",
    file: fiberPark,
    find: `  Effect.matchCauseEffect(restore(ticket.settlement), {
    onFailure: (cause) => {
      wake(cancel())
      return Effect.failCause(cause)
    },
    onSuccess: () => settled(ticket.result!)
  })`,
    replace: `  restore(Effect.matchCauseEffect(ticket.settlement, {
    onFailure: (cause) => {
      wake(cancel())
      return Effect.failCause(cause)
    },
    onSuccess: () => settled(ticket.result!)
  }))`,
    caughtBy: "a wait that a sibling interrupts leaves the line, and keeps nobody behind it waiting"
  },
  {
    name: "a semaphore whose granted permits are nobody's between the wait and the caller",
    primitive: "Semaphore",
    why: "Leaving an uninterruptible region is a step of its own. Effect 3's Mailbox.take.",
    file: fiberPark,
    find: "const forget = onFiberExit(fiber, () => wake(delivery.cancel(ticket)))",
    replace: "const forget = onFiberExit(fiber, () => {})",
    caughtBy: "permits that were taken by hand are in somebody's hands",
    model: "aggressive"
  },
  {
    name: "a semaphore that lets small requests overtake a large one",
    primitive: "Semaphore",
    why: "The large one starves. Effect 3's semaphore, by design (#2107).",
    file: "src/core/semaphore.ts",
    find: "(state.waiting.size === 0 || state.pick !== fifo || waitList.head(state.waiting)!.priority < priority)",
    replace: "true",
    caughtBy: "requests are granted in order of arrival, whatever their weight, and tryTake overtakes nobody"
  },
  {
    name: "a semaphore that grants to whoever fits",
    primitive: "Semaphore",
    why: "The same for those who wait.",
    file: "src/core/semaphore.ts",
    find: "return head && head.request <= free ? head : undefined",
    replace: "return head && waitList.tickets(waiting).find(({ request }) => request <= free)",
    caughtBy: "nobody overtakes a large request"
  },
  {
    name: "a semaphore that hands on nothing when its head leaves",
    primitive: "Semaphore",
    why: "Those behind a large request that was interrupted fit now, and wait for a release that need not come.",
    file: "src/core/semaphore.ts",
    find: "  waitList.remove(ticket)\n  return grant(state)",
    replace: "  waitList.remove(ticket)\n  return undefined",
    caughtBy: "who leaves the head of the queue keeps nobody behind it waiting"
  },
  {
    name: "a semaphore that takes permits back twice",
    primitive: "Semaphore",
    why: "releaseAll without an epoch: who held them gives them back once more, and two are in.",
    file: "src/core/semaphore.ts",
    find: "  state.epoch++\n",
    replace: "",
    caughtBy: "after releaseAll nobody gives back what he does not hold any more"
  },
  {
    name: "a semaphore that wakes nobody when it grows",
    primitive: "Semaphore",
    why: "The new permits lie there until the next release.",
    file: "src/core/semaphore.ts",
    find: "return concat(refused, grant(state))",
    replace: "return refused",
    caughtBy: "who waits at a closed semaphore goes on when it opens"
  },
  {
    name: "a semaphore that starts the last to come",
    primitive: "Semaphore",
    why: "A stack is a simpler wait list than a queue. The oldest starves.",
    file: "src/core/semaphore.ts",
    find: "  const head = waitList.head(waiting)\n  return",
    replace: "  const head = waitList.tickets(waiting).at(-1)\n  return",
    caughtBy: "requests are granted in order of arrival, whatever their weight, and tryTake overtakes nobody"
  }
]

const mutex: ReadonlyArray<Mutant> = [
  {
    name: "a mutex that forgets its release when its scope is interrupted",
    primitive: "Mutex",
    why: "The finalizer looks at how the scope ended.",
    file: permits,
    find: "Effect.addFinalizer(() => Effect.sync(() =>",
    replace: 'Effect.addFinalizer((exit) => Effect.sync(() => exit._tag === "Success" &&',
    caughtBy: "the lock for a scope, and that which is only taken if available, are free in the end"
  },
  {
    name: "a mutex that an interrupted holder does not release",
    primitive: "Mutex",
    why: "A release at the end, and not however it ends: `await lock.acquire(); work(); lock.release()`.",
    file: fiberPark,
    find: "    onFailure: (cause) => {\n      release()\n",
    replace: "    onFailure: (cause) => {\n",
    caughtBy: "a body that fails releases the lock"
  },
  {
    name: "a mutex that is released twice by who was interrupted",
    primitive: "Mutex",
    why: "Once by the handler, once by the finalizer: a second is let in beside the next.",
    file: fiberPark,
    find: "    onFailure: (cause) => {\n      release()\n",
    replace: "    onFailure: (cause) => {\n      release()\n      release()\n",
    caughtBy: "a body that fails releases the lock"
  },
  {
    name: "a mutex that is let go of before the work is done",
    primitive: "Mutex",
    why: "`return f()` inside try and finally, without an await.",
    file: promisePermits,
    find: "void result.then(release, release)",
    replace: "release()",
    caughtBy: "promises: one at a time, in order of arrival, and free in the end, whoever is aborted"
  },
  {
    name: "a mutex that a function that throws keeps",
    primitive: "Mutex",
    why: "`.then(release)` instead of `.finally(release)`.",
    file: promisePermits,
    find: "void result.then(release, release)",
    replace: "void result.then(release, () => {})",
    caughtBy: "a function that throws lets go of the lock"
  },
  {
    name: "a mutex whose lease gives back twice",
    primitive: "Mutex",
    why: "A lease that is released twice lets two in.",
    file: "src/promise/Lease.ts",
    find: "    this.epoch = -1\n",
    replace: "",
    caughtBy: "promises: one at a time, in order of arrival, and free in the end, whoever is aborted"
  },
  {
    name: "a mutex that loses a grant when the signal aborts in the same tick",
    primitive: "Mutex",
    why: "The promise rejects, and what it was granted stays granted.",
    file: promisePark,
    find: "      wake(cancel(state, ticket))",
    replace: "      if (!ticket.settled) wake(cancel(state, ticket))",
    caughtBy: "an abort before the caller runs counts"
  },
  {
    name: "a mutex that is granted to who has aborted",
    primitive: "Mutex",
    why: "The abort comes after the grant and before the caller runs, and nobody looks.",
    file: promisePark,
    find: "queueMicrotask(() => (signal?.aborted ? end(signal.reason) : resume(ticket.claim())))",
    replace: "resume(ticket.claim())",
    caughtBy: "an abort before the caller runs counts"
  },
  {
    name: "a mutex whose timed-out wait leaves a ghost",
    primitive: "Mutex",
    why: "The promise rejects, and its place in the queue stays: it is granted to nobody. async-mutex; `Promise.race` around any lock.",
    file: promisePark,
    find: "      wake(cancel(state, ticket))\n      if (!ticket.lane) reject(reason)",
    replace: "      reject(reason)",
    caughtBy: "promises: one at a time, in order of arrival, and free in the end, whoever is aborted"
  },
  {
    name: "a mutex that still listens to the signal of a wait that is over",
    primitive: "Mutex",
    why: "A later abort releases what its caller holds.",
    file: promisePark,
    find: "    ticket.wake = () => {\n      unwatch()\n",
    replace: "    ticket.wake = () => {\n",
    caughtBy: "promises: one at a time, in order of arrival, and free in the end, whoever is aborted"
  }
]

const guarded: ReadonlyArray<Mutant> = [
  {
    name: "a guarded value that is read before the lock is there",
    primitive: "Guarded",
    why: "The lost update: what the change before it wrote is overwritten.",
    file: "src/Guarded.ts",
    find: "    const body = Effect.flatMap(\n      Effect.suspend(() => next(state.value)),",
    replace: "    const seen = state.value\n    const body = Effect.flatMap(\n      Effect.suspend(() => next(seen)),",
    caughtBy: "no change is lost, none happens twice, and none overlaps another, whoever is interrupted"
  },
  {
    name: "a guarded value that is written after the lock is gone",
    primitive: "Guarded",
    why: "The lock is held while the next value is found out, and not while it is written: a preemption between loses a change.",
    file: "src/Guarded.ts",
    find: `    const body = Effect.flatMap(
      Effect.suspend(() => next(state.value)),
      (result) =>
        Effect.sync(() => {
          const [returned, value] = core.pair(where, result)
          core.commit(state, value)
          return returned
        })
    )
    return permits.hold(where, state.lock, 1, undefined, body)`,
    replace: `    return Effect.flatMap(
      permits.hold(where, state.lock, 1, undefined, Effect.suspend(() => next(state.value))),
      (result) =>
        Effect.sync(() => {
          const [returned, value] = core.pair(where, result)
          state.value = value
          return returned
        })
    )`,
    caughtBy: "changes come in order of arrival, and who only looks sees none that is half done",
    model: "elastic"
  },
  {
    name: "a guarded value without its lock",
    primitive: "Guarded",
    why: "What every Ref with an effect in its change is.",
    file: "src/Guarded.ts",
    find: "return permits.hold(where, state.lock, 1, undefined, body)",
    replace: "return Effect.zipRight(Effect.sync(() => (state.lock.taken = 1)), body)",
    caughtBy: "no change is lost, none happens twice, and none overlaps another, whoever is interrupted"
  },
  {
    name: "a guarded value that an async function reads before the lock is there",
    primitive: "Guarded",
    why: "The lost update, in the facade.",
    file: "src/promise/Guarded.ts",
    find: "    return permits.run(where, state.lock, 1, options, async () => {\n      const [returned, value] = core.pair(where, await f(state.value))",
    replace:
      "    const seen = state.value\n    return permits.run(where, state.lock, 1, options, async () => {\n      const [returned, value] = core.pair(where, await f(seen))",
    caughtBy: "promises: no change is lost, none happens twice, and none overlaps another, whoever is aborted"
  }
]

const event: ReadonlyArray<Mutant> = [
  {
    name: "an event that looks again when it is woken",
    primitive: "Event",
    why: "Cleared between the wake-up and the look, it waits on: who was woken is not. A loop around a flag, as for a condition.",
    file: "src/Event.ts",
    find: "        () => core.cancel(state, ticket),\n        () => Effect.void\n",
    replace: "        () => core.cancel(state, ticket),\n        () => (state.isSet ? Effect.void : this.wait)\n",
    caughtBy: "a flag that is set and cleared in the same tick wakes those who wait"
  },
  {
    name: "an event that enqueues a waiter after it has looked",
    primitive: "Event",
    why: "Set between the two, it waits for a flag that is set.",
    file: "src/Event.ts",
    find: "      core.enqueue(state, ticket)\n      return park(\n        restore,\n        ticket,",
    replace:
      "      return park(\n        (self) => Effect.zipRight(Effect.sync(() => core.enqueue(state, ticket)), restore(self)),\n        ticket,",
    caughtBy: "a flag that is set and cleared in the same tick wakes those who wait",
    model: "elastic"
  },
  {
    name: "an event that wakes one",
    primitive: "Event",
    why: "notify instead of notifyAll.",
    file: "src/core/event.ts",
    find: "waitList.settleAll(state.waiting, undefined, undefined)",
    replace: `((head, one = waitList.make()) => {
  if (head) waitList.remove(head), waitList.push(one, head)
  return waitList.settleAll(one, undefined, undefined)
})(waitList.head(state.waiting))`,
    caughtBy: "a flag that is set and cleared in the same tick wakes those who wait"
  },
  {
    name: "an event that keeps who has gone",
    primitive: "Event",
    why: "A ghost in the list for each wait that timed out: a leak, and a count that lies.",
    file: "src/core/event.ts",
    find: "  if (!ticket.settled) waitList.remove(ticket)\n",
    replace: "",
    caughtBy: "who has gone does not wait for an event"
  },
  {
    name: "an event that removes who was woken already",
    primitive: "Event",
    why: "The wake-up and the interruption come in the same tick, and the canceller does not ask whether the ticket still waits.",
    file: "src/core/event.ts",
    find: "if (!ticket.settled) waitList.remove(ticket)",
    replace: "waitList.remove(ticket)",
    caughtBy: "wait, set, clear and pulse are what its model says, also when a wait is interrupted"
  }
]

const condition: ReadonlyArray<Mutant> = [
  {
    name: "a condition that loses the notification of an interrupted waiter",
    primitive: "Condition",
    why: "Notified and interrupted before it got the lock: nobody else is notified. asyncio.Condition (gh-112202).",
    file: "src/core/condition.ts",
    find: "? askForLock(state, ticket) : passOn(state)",
    replace: "? askForLock(state, ticket) : undefined",
    caughtBy: "a notification of one who is interrupted goes to the next"
  },
  {
    name: "a condition that loses a notification between the wait and the look",
    primitive: "Condition",
    why: "The fiber ends with the lock, and before it could use its notification.",
    file: "src/Condition.ts",
    find: "() => untilForgotten(() => core.passOn(state))",
    replace: "() => Effect.succeed(() => {})",
    caughtBy: "a notification is not lost with the waiter that it was for",
    model: "aggressive"
  },
  {
    name: "a condition that loses the notification of a predicate that fails",
    primitive: "Condition",
    why: "Who was notified and then fails has not used it.",
    file: "src/Condition.ts",
    find: "            forget()\n            wake(core.passOn(state))",
    replace: "            forget()",
    caughtBy: "a predicate that fails passes its notification on"
  },
  {
    name: "a condition that gives the lock up before it waits",
    primitive: "Condition",
    why: "A notification between the two finds nobody.",
    file: "src/Condition.ts",
    find: "      wake(core.wait(state, ticket))\n      return Effect.onError(\n        park(\n          restore,",
    replace: `      wake(core.wait(core.make(state.lock), new FiberTicket<number, Grant>(1, 0, "")))
      const enqueue = Effect.sync(() => core.wait({ ...state, lock: mutex.make() }, ticket))
      return Effect.onError(
        park(
          (self) => Effect.zipRight(Effect.yieldNow(), Effect.zipRight(enqueue, restore(self))),`,
    caughtBy: "a notification of one who is interrupted goes to the next"
  },
  {
    name: "a condition whose interrupted wait returns without the lock",
    primitive: "Condition",
    why: "What follows runs beside the holder, and releases what it does not have. asyncio.Condition (bpo-22970).",
    file: "src/Condition.ts",
    find: "() => ticket.settlement\n",
    replace: "() => Effect.void\n",
    caughtBy: "who waits holds the lock when the wait ends, also by an interruption, and at most one does"
  },
  {
    name: "a condition whose aborted wait returns without the lock",
    primitive: "Condition",
    why: "The same in the facade: it rejects at once.",
    file: promisePark,
    find: "if (!ticket.lane) reject(reason)",
    replace: "reject(reason)",
    caughtBy: "an async function whose wait is aborted has the lock when it goes on"
  },
  {
    name: "a condition that notifies the last to come",
    primitive: "Condition",
    why: "A stack instead of a queue. The oldest starves.",
    file: "src/core/condition.ts",
    find: "const ticket = waitList.shift(state.waiting)\n    if (ticket === undefined) return",
    replace:
      "const ticket = waitList.tickets(state.waiting).at(-1)\n    if (ticket === undefined) return\n    waitList.remove(ticket)",
    caughtBy: "wait, notify and the lock are what its model says"
  },
  {
    name: "a condition that wakes whom it notifies before they have the lock",
    primitive: "Condition",
    why: "Two believe that they hold it.",
    file: "src/core/condition.ts",
    find: "    Semaphore.enqueue(state.lock, ticket)\n  }",
    replace: "    settle(undefined, ticket, state.lock.epoch).wake()\n  }",
    caughtBy: "a predicate that fails passes its notification on"
  },
  {
    name: "a condition whose timeout starts anew with each notification",
    primitive: "Condition",
    why: "A timeout for each wait instead of one for the call.",
    file: "src/promise/Condition.ts",
    find: "await this.wait(whole.options)",
    replace: "await this.wait(options)",
    caughtBy: "a timeout is of the whole wait for a predicate"
  }
]

const barrier: ReadonlyArray<Mutant> = [
  {
    name: "a barrier that one who is late breaks for those who have met",
    primitive: "Barrier",
    why: "No epoch: all have arrived, one is interrupted before it goes on, and it counts as having never come.",
    file: "src/core/barrier.ts",
    find: `if (generation.status !== "filling") return undefined`,
    replace: "",
    caughtBy: "an interruption breaks the round that it is in, or none"
  },
  {
    name: "a barrier whose next round joins the one that has not ended",
    primitive: "Barrier",
    why: "No generation: who comes while the action runs passes with those for whom it runs.",
    file: "src/core/barrier.ts",
    find: "    state.acting.add(generation)\n    state.filling = makeGeneration()",
    replace: "    state.acting.add(generation)",
    caughtBy: "the action of a barrier runs once a round, and before anybody passes"
  },
  {
    name: "a barrier that gives an index twice",
    primitive: "Barrier",
    why: "The index is the number that wait: after a withdrawal, that of somebody who still does. asyncio.Barrier (gh-155233).",
    file: "src/core/barrier.ts",
    find: "generation.returned.pop() ?? arrived",
    replace: "arrived",
    caughtBy: "who withdraws from a barrier leaves its place to another"
  },
  {
    name: "a barrier that breaks only for those who are still to meet",
    primitive: "Barrier",
    why: "The action fails, and those that wait for it wait for ever.",
    file: "src/core/barrier.ts",
    find: "of [...state.acting, state.filling])",
    replace: "of [state.filling])",
    caughtBy: "an action that fails or is interrupted breaks the barrier, and nobody waits for ever"
  },
  {
    name: "a barrier that an action that fails leaves closed",
    primitive: "Barrier",
    why: "Only success is handled, so nobody tells those who wait.",
    file: "src/Barrier.ts",
    find: "          wake(core.fail(state, arrival))\n",
    replace: "",
    caughtBy: "an action that fails wakes everybody"
  },
  {
    name: "a barrier that an action that rejects leaves closed",
    primitive: "Barrier",
    why: "The same in the facade.",
    file: "src/promise/Barrier.ts",
    find: "      wake(core.fail(state, arrival))\n",
    replace: "",
    caughtBy: "an async function whose action fails wakes everybody"
  },
  {
    name: "a barrier whose action every party runs",
    primitive: "Barrier",
    why: "Whoever passes runs it.",
    file: "src/Barrier.ts",
    find: "() => core.cancel(state, ticket), outcome)",
    replace: "() => core.cancel(state, ticket), (result) => Effect.zipRight(action ?? Effect.void, outcome(result)))",
    caughtBy: "the action runs once a generation, before anybody passes"
  },
  {
    name: "a barrier that passes before its action has run",
    primitive: "Barrier",
    why: "Those who wait are woken, and then it is done what they wait for.",
    file: "src/Barrier.ts",
    find: "      if (action === undefined) return pass()\n",
    replace: "      if (action === undefined) return pass()\n      wake(core.pass(state, arrival))\n",
    caughtBy: "the action runs once a generation, before anybody passes"
  },
  {
    name: "a barrier that passes a step after the last has arrived",
    primitive: "Barrier",
    why: "A reset between the two breaks a round that is complete. Ours, until the explorer found it.",
    file: "src/Barrier.ts",
    find: "if (action === undefined) return pass()",
    replace: "if (action === undefined) return Effect.suspend(pass)",
    caughtBy: "await, reset and abort are what its model says, and every wait settles",
    model: "elastic"
  },
  {
    name: "a barrier that counts who has gone",
    primitive: "Barrier",
    why: "A party that withdrew has arrived all the same: the others pass one short. A counter instead of a list.",
    file: "src/core/barrier.ts",
    find: "  const { generation, index } = ticket.request\n  waitList.remove(ticket)\n",
    replace: "  const { generation, index } = ticket.request\n  if (index < 0) waitList.remove(ticket)\n",
    caughtBy: "who withdrew is not counted: the others wait for one more"
  }
]

const workQueue: ReadonlyArray<Mutant> = [
  {
    name: "a queue that loses the item of an interrupted taker",
    primitive: "WorkQueue",
    why: "The item travels in the wake-up, and the interruption in the same tick throws that away. Effect 3's Queue.take; ZIO #9973; cats-effect #3603; asyncio.Queue (bpo-23812).",
    file: "src/core/workQueue.ts",
    find: "return ticket.result === Closed ? undefined : giveBack(state, ticket.result!)",
    replace: "return undefined",
    caughtBy: "an item that was delivered to one who is interrupted goes to the next"
  },
  {
    name: "a queue whose delivered item is nobody's between the wait and the caller",
    primitive: "WorkQueue",
    why: "Leaving an uninterruptible region is a step of its own. Effect 3's Mailbox.take.",
    file: fiberPark,
    find: "const forget = onFiberExit(fiber, () => wake(delivery.cancel(ticket)))",
    replace: "const forget = onFiberExit(fiber, () => {})",
    caughtBy: "fibers and async functions take from one queue, and no item is lost, whoever is interrupted",
    model: "aggressive"
  },
  {
    name: "a queue that puts a returned item last",
    primitive: "WorkQueue",
    why: "Offered anew, which is what callers do who have to give back themselves.",
    file: "src/core/workQueue.ts",
    find: "for (const node of nodes) state.store.restore(node)",
    replace: "for (const node of nodes) state.store.add(node)",
    caughtBy: "no item is lost or there twice, whoever is interrupted"
  },
  {
    name: "a queue whose returned item wakes nobody",
    primitive: "WorkQueue",
    why: "It lies there while others wait for one.",
    file: "src/core/workQueue.ts",
    find: "  state.unfinished = Math.max(state.unfinished, state.store.size)\n  return match(state)",
    replace: "  state.unfinished = Math.max(state.unfinished, state.store.size)\n  return undefined",
    caughtBy: "an item that was delivered to one who is interrupted goes to the next"
  },
  {
    name: "a queue whose end leaves its takers waiting",
    primitive: "WorkQueue",
    why: "Only who comes later learns of it.",
    file: "src/core/workQueue.ts",
    find: "waitList.settleAll(state.takers, waitList.settleAll(state.offerers, undefined, Closed), Closed)",
    replace: "waitList.settleAll(state.offerers, undefined, Closed)",
    caughtBy: "join ends when all is done, and a failed item comes again if so chosen"
  },
  {
    name: "a queue whose end leaves its offerers waiting",
    primitive: "WorkQueue",
    why: "The same on the other side.",
    file: "src/core/workQueue.ts",
    find: "waitList.settleAll(state.takers, waitList.settleAll(state.offerers, undefined, Closed), Closed)",
    replace: "waitList.settleAll(state.takers, undefined, Closed)",
    caughtBy: "whoever waits when the queue ends is told, and what was in it is taken first"
  },
  {
    name: "a queue whose join returns when it is empty",
    primitive: "WorkQueue",
    why: "Empty is not done: somebody is still at work.",
    file: "src/WorkQueue.ts",
    find: "if (state.unfinished === 0) return Effect.void",
    replace: "if (state.store.size === 0) return Effect.void",
    caughtBy: "join ends when all is done, and a failed item comes again if so chosen"
  },
  {
    name: "a queue whose join never returns",
    primitive: "WorkQueue",
    why: "The end of the last work tells nobody.",
    file: "src/core/workQueue.ts",
    find: "return state.unfinished === 0 ? waitList.settleAll(state.joiners, chain, undefined) : chain",
    replace: "return chain",
    caughtBy: "join ends when all is done, and a failed item comes again if so chosen"
  },
  {
    name: "a queue that does not count what it hands over",
    primitive: "WorkQueue",
    why: "An item that finds a taker waiting never was in the queue, and so is not missed: join returns too early.",
    file: "src/core/workQueue.ts",
    find: "    state.unfinished++\n    return settle(undefined, taker",
    replace: "    return settle(undefined, taker",
    caughtBy: "a consumer that is interrupted or fails puts its item back, for another"
  },
  {
    name: "a queue whose offerers do not hear of room",
    primitive: "WorkQueue",
    why: "A take wakes takers, and nobody wakes those who wait for room.",
    file: "src/WorkQueue.ts",
    find: "      const { item } = core.shift(state)!\n      wake(core.match(state))",
    replace: "      const { item } = core.shift(state)!",
    caughtBy: "offer, take, tryOffer and tryTake are what its model says, in order of arrival"
  },
  {
    name: "a sliding queue that waits for what it dropped",
    primitive: "WorkQueue",
    why: "The dropped item is still counted as unfinished.",
    file: "src/core/workQueue.ts",
    find: "  state.store.evict()\n  state.unfinished--\n",
    replace: "  state.store.evict()\n",
    caughtBy: "what a sliding queue dropped is not waited for"
  },
  {
    name: "a queue whose consumer acknowledges twice",
    primitive: "WorkQueue",
    why: "Once by the handler's end, once by the loop: join returns while another still works.",
    file: "src/WorkQueue.ts",
    find: `            wake(core.finish("WorkQueue.consume", state))\n            return succeedTrue`,
    replace: `            wake(core.finish("WorkQueue.consume", state))\n            if (core.inProgress(state) > 0) wake(core.finish("WorkQueue.consume", state))\n            return succeedTrue`,
    caughtBy: "join ends when all is done, and a failed item comes again if so chosen"
  },
  {
    name: "a queue whose interrupted handler takes its item along",
    primitive: "WorkQueue",
    why: "Acknowledged, but not done: at most once instead of at least once.",
    file: "src/WorkQueue.ts",
    find: `(Option.isNone(failure) ? "fail" :`,
    replace: `(Option.isNone(failure) ? "drop" :`,
    caughtBy: "a consumer that is interrupted or fails puts its item back, for another"
  },
  {
    name: "a queue whose aborted handler takes its item along",
    primitive: "WorkQueue",
    why: "The same in the facade.",
    file: "src/promise/WorkQueue.ts",
    find: `let choice: core.OnFailure = "fail"`,
    replace: `let choice: core.OnFailure = "drop"`,
    caughtBy: "promises: consume and join do each item once, also those that failed, whoever is aborted"
  },
  {
    name: "a queue that keeps the item of an interrupted offer",
    primitive: "WorkQueue",
    why: "The caller is told that it was not made, makes it again, and the item is there twice.",
    file: "src/core/workQueue.ts",
    find: "  state.store.remove(node)\n  return finishing(state, match(state))",
    replace: "  return undefined",
    caughtBy: "an offer that was interrupted may be made again"
  },
  {
    name: "a queue whose interrupted offer still waits",
    primitive: "WorkQueue",
    why: "A ghost that gets in when there is room.",
    file: "src/core/workQueue.ts",
    find: "  if (waitList.has(state.offerers, ticket)) {\n    waitList.remove(ticket)\n    return match(state)\n  }\n",
    replace: "",
    caughtBy: "an offer that was interrupted may be made again"
  },
  {
    name: "a queue that brings in who waits for room behind a newcomer",
    primitive: "WorkQueue",
    why: "The newest first: the items of one offerer overtake those of another.",
    file: "src/core/workQueue.ts",
    find: "const offerer = waitList.head(state.offerers)",
    replace: "const offerer = waitList.tickets(state.offerers).at(-1)",
    caughtBy: "offers get in in order of arrival"
  },
  {
    name: "a queue whose iterator takes an item after it was left",
    primitive: "WorkQueue",
    why: "`break` ends the loop and not the take that is under way: the next item goes there.",
    file: "src/promise/WorkQueue.ts",
    find: "        controller.abort()\n        return done",
    replace: "        return done",
    caughtBy: "an iterator that was left takes nothing more"
  }
]

const wait: ReadonlyArray<Mutant> = [
  {
    name: "a race that does not interrupt who lost",
    primitive: "Wait",
    why: "It waits for those who will never end.",
    file: "src/Wait.ts",
    find: "for (const index of core.close(state, gone)) interruptNow(fibers[index]!, caller)",
    replace: "core.close(state, gone)",
    caughtBy: "firstSuccess: it ends, and nobody runs after its end, whoever is interrupted"
  },
  {
    name: "a race that does not wait for the cleanup of who lost",
    primitive: "Wait",
    why: "The result is there while a loser still holds what it had: Effect's disconnect, asyncio's cancel without an await.",
    file: "src/Wait.ts",
    find: "return core.mustWait(state) ? drained : Effect.void",
    replace: "return Effect.void",
    caughtBy: "an interruption in the tick of the decision, and one during the cleanup: nobody runs after it"
  },
  {
    name: "a race that counts who ended after the decision",
    primitive: "Wait",
    why: "More winners than were asked for.",
    file: "src/core/wait.ts",
    find: "const ended = state.endings.slice(0, state.decidedAt)",
    replace: "const ended = state.endings.slice()",
    caughtBy: "firstN gives so many as were needed, each once, and the errors of too few come in start order"
  },
  {
    name: "a race whose errors come in the order of the ends",
    primitive: "Wait",
    why: "Which is another one each time.",
    file: "src/core/wait.ts",
    find: `.filter((index) => state.members[index]!.status !== "succeeded")
    .sort((a, b) => a - b)`,
    replace: `.filter((index) => state.members[index]!.status !== "succeeded")`,
    caughtBy: "firstN gives so many as were needed, each once, and the errors of too few come in start order"
  },
  {
    name: "a staggered race that starts the next although one has answered",
    primitive: "Wait",
    why: "The answer and the time for the next start come in the same tick.",
    file: "src/core/wait.ts",
    find: "decidedAt === undefined && !closed && started",
    replace: "!closed && started",
    caughtBy: "nobody starts when one has answered, although another fails then"
  },
  {
    name: "a race that stays subscribed to a fiber that it does not own",
    primitive: "Wait",
    why: "A listener more for each wait, until the fiber ends.",
    file: "src/Wait.ts",
    find: "if (!over) forget() // which looks through all who listen",
    replace: "",
    caughtBy: "fibers that are waited for know nothing of it afterwards, and run on, whoever is interrupted"
  },
  {
    name: "a wait for fibers that stays subscribed when it is interrupted",
    primitive: "Wait",
    why: "The same, and only then.",
    file: "src/Wait.ts",
    find: `              silence()
              leave()
              return`,
    replace: `              silence()
              return`,
    caughtBy: "fibers that are waited for know nothing of it afterwards, and run on, whoever is interrupted"
  },
  {
    name: "a race of async functions that does not wait for who lost",
    primitive: "Wait",
    why: "The same as of effects: they hold what they had.",
    file: "src/promise/Wait.ts",
    find: "while (core.mustWait(state)) await news(where, state, undefined)",
    replace: "",
    caughtBy: "promises: nobody runs after the end, whoever is aborted; and a shared promise is left alone"
  },
  {
    name: "a list of endings whose reader waits after it was left",
    primitive: "Wait",
    why: "`break` in one place, and a next in another that never settles.",
    file: "src/promise/Wait.ts",
    find: "wake(core.tick(this.running.state))",
    replace: "",
    caughtBy: "promises: asCompleted settles every next, whoever closes it"
  },
  {
    name: "a race whose kept losers outlive an interrupted caller",
    primitive: "Wait",
    why: "Who keeps them has gone, and nobody else knows of them.",
    file: "src/core/wait.ts",
    find: `if (gone && state.losers === "keep") state.losers = "interruptAndWait"`,
    replace: "",
    caughtBy: "an interrupted caller keeps nobody"
  },
  {
    name: "a race whose caller is interrupted in the tick of a failure, which nobody hears of",
    primitive: "Wait",
    why: "It was the result, so it is not reported; and the result is nobody's.",
    file: "src/Wait.ts",
    find: "return Effect.zipRight(close(true), gone(reasons, cause))",
    replace: "return Effect.zipRight(close(true), gone([], cause))",
    caughtBy:
      "a member that fails in a race: somebody has the failure, or it is reported, and never both, whoever is interrupted"
  },
  {
    name: "a race whose caller is interrupted while those who lost clean up, and which gives its failure all the same",
    primitive: "Wait",
    why: "An interruption takes a failure away from whoever would have heard of it.",
    file: "src/Wait.ts",
    find: "Effect.matchCauseEffect(Effect.zipRight(close(false), restore(Effect.void)), {",
    replace: "Effect.matchCauseEffect(close(false), {",
    caughtBy:
      "a member that fails in a race: somebody has the failure, or it is reported, and never both, whoever is interrupted"
  },
  {
    name: "a race that keeps the failure of a task which nobody had of it",
    primitive: "Wait",
    why: "Whoever listens to a task has asked for its failure, and then is interrupted.",
    file: "src/Wait.ts",
    find: `      listeners.forEach((listener) => wake(listener.leave()))
      return Effect.forEach(failed`,
    replace: `      return Effect.forEach(failed`,
    caughtBy:
      "a task that fails in a race: somebody has the failure, or it is reported, and never both, whoever is interrupted"
  },
  {
    name: "a race that fails as a task has failed, and lets that be reported",
    primitive: "Wait",
    why: "It leaves the task as if another had won.",
    file: "src/Wait.ts",
    find: "core.reasons(state).forEach(keep)",
    replace: "",
    caughtBy:
      "a task that fails in a race: somebody has the failure, or it is reported, and never both, whoever is interrupted"
  },
  {
    name: "a race that stays in the list of a task that it does not own",
    primitive: "Wait",
    why: "A waiter more for each race, until the task ends.",
    file: "src/core/task.ts",
    find: "return leave(this.task, this.ticket)",
    replace: "return undefined",
    caughtBy: "tasks that are waited for know nothing of it afterwards, and run on, whoever is interrupted"
  },
  {
    name: "a race of async functions that stays in the list of a task",
    primitive: "Wait",
    why: "The same: what `then` leaves in a promise cannot be taken back, and so nobody thinks of it.",
    file: "src/promise/Wait.ts",
    find: "wake(this.watch.leave())",
    replace: "",
    caughtBy:
      "promises: a task that is raced, waited for and read of knows nothing of it afterwards, whoever is aborted"
  }
]

const deferred: ReadonlyArray<Mutant> = [
  {
    name: "a deferred result that says yes to everybody",
    primitive: "Deferred",
    why: "The first counts, and the others are told that they did.",
    file: "src/promise/Deferred.ts",
    find: "if (state.outcome) return false",
    replace: "",
    caughtBy: "promises: one of two has settled it, and whoever waits hears of that one or leaves, whoever is aborted"
  },
  {
    name: "a shared result that says yes to plain code whatever the effect side has done",
    primitive: "Deferred",
    why: "It does not look at what settling it gave.",
    file: "src/Task.ts",
    find: `settle(outcome._tag === "Success" ? Exit.succeed(outcome.value) : Exit.fail(outcome.error as E)),`,
    replace: `(settle(outcome._tag === "Success" ? Exit.succeed(outcome.value) : Exit.fail(outcome.error as E)), true),`,
    caughtBy: "settled from either side at once, one of them has done it, and all who wait hear of that one"
  },
  {
    name: "a shared result that plain code never hears of",
    primitive: "Deferred",
    why: "It is put down, and nobody is woken.",
    file: "src/Task.ts",
    find: `          wake(
            core.end(`,
    replace: `          void (
            core.end(`,
    caughtBy: "a fiber and an async function settle it and wait for it: one has done it, and both hear the same"
  },
  {
    name: "a shared result whose plain side hears of a failure as a value",
    primitive: "Deferred",
    why: "Both are outcomes.",
    file: "src/promise/Task.ts",
    find: `return outcome._tag === "Success" ? outcome.value : Promise.reject(errorOf(outcome))`,
    replace: `return outcome._tag === "Success" ? outcome.value : errorOf(outcome)`,
    caughtBy: "promises: one of two has settled it, and whoever waits hears of that one or leaves, whoever is aborted"
  }
]

const streaming: ReadonlyArray<Mutant> = [
  {
    name: "a flow that reads one item too far ahead",
    primitive: "Streaming",
    why: "The fencepost: who waits for a result is counted, and the concurrency counts it again.",
    file: "src/core/streaming.ts",
    find: "ahead: concurrency - 1 + buffer",
    replace: "ahead: concurrency + buffer",
    caughtBy: "nobody reads further ahead than may, and the results are in order"
  },
  {
    name: "a flow that hands over what is ready",
    primitive: "Streaming",
    why: "In the order of the calls' ends, though it was to be that of the items.",
    file: "src/core/streaming.ts",
    find: `    ordered,
    ahead`,
    replace: `    ordered: false,
    ahead`,
    caughtBy: "nobody reads further ahead than may, and the results are in order"
  },
  {
    name: "a flow that closes its source while calls run",
    primitive: "Streaming",
    why: "What they use is gone under their hands: an async generator is closed by `break` at once.",
    file: "src/core/streaming.ts",
    find: `return running > 0 || source !== "open" ? undefined : Close`,
    replace: `return source !== "open" ? undefined : Close`,
    caughtBy: "promises: nothing runs, and the source is closed once, whenever it is aborted"
  },
  {
    name: "a flow whose next never settles once it was left",
    primitive: "Streaming",
    why: "Only who leaves is told of the end.",
    file: "src/core/streaming.ts",
    find: "for (const list of [waiting, state.closing] as",
    replace: "for (const list of [state.closing] as",
    caughtBy: "next, and return meanwhile: both settle, and the finalizers have run"
  },
  {
    name: "a flow that forgets who waits when the source ends",
    primitive: "Streaming",
    why: "They asked before it was known that there is nothing more.",
    file: "src/internal/iterate.ts",
    find: "(closing && isInterruptedOnly(exit.cause))) this.step(core.closed(state))",
    replace: "(closing && isInterruptedOnly(exit.cause))) core.closed(state)",
    caughtBy: "next, and return meanwhile: both settle, and the finalizers have run"
  },
  {
    name: "a flow that does not close its source",
    primitive: "Streaming",
    why: "A generator's `finally` never runs.",
    file: "src/promise/flow.ts",
    find: "const answer = iterator?.return?.()",
    replace: "const answer = undefined",
    caughtBy: "promises: who leaves a loop has closed the source, and every next before that has settled"
  },
  {
    name: "a flow that tells no call that it was left",
    primitive: "Streaming",
    why: "Who leaves waits for results that nobody wants.",
    file: "src/promise/flow.ts",
    find: `    this.calls.stop(new DOMException("the results are not wanted any more", "AbortError"))
`,
    replace: "",
    caughtBy: "promises: who leaves a loop has closed the source, and every next before that has settled"
  },
  {
    name: "a flow whose failing call leaves the others running",
    primitive: "Streaming",
    why: "The failure is told when they have ended, which they may never do.",
    file: "src/internal/flow.ts",
    find: "if (!told) return flow.interruptOthers",
    replace: "",
    caughtBy: "a failure interrupts the other call, and closes the source after it"
  },
  {
    name: "a flow that is left while its calls run",
    primitive: "Streaming",
    why: "It interrupts them and does not wait.",
    file: "src/internal/flow.ts",
    find: "return Effect.flatMap(this.dismiss, () => {",
    replace: "return Effect.flatMap(Effect.void, () => {",
    caughtBy: "nothing runs and the source is closed once, whenever the consumer is interrupted (in order)"
  },
  {
    name: "an iterator whose throw forgets what was thrown",
    primitive: "Streaming",
    why: "It closes, and says that all is well.",
    file: "src/internal/iterate.ts",
    find: "if (errors.length > 0) this.resolve(",
    replace: "if (result instanceof core.Failed) this.resolve(",
    caughtBy: "next, and throw meanwhile: both settle, and the finalizers have run"
  },
  {
    name: "an iterator that is left when its stream was told so",
    primitive: "Streaming",
    why: "The finalizers still run when the loop has been left.",
    file: "src/internal/iterate.ts",
    find: "else interruptNow(fiber, fiber)",
    replace: "else (interruptNow(fiber, fiber), this.step(core.closed(this.state)))",
    caughtBy: "break, while somebody else asks: the finalizers have run when the loop is left, and the other settles"
  },
  {
    name: "a flow that tells the first of those who wait that it has ended",
    primitive: "Streaming",
    why: "The second asked for an item as well, and waits for ever: Effect's own iterator does so.",
    file: "src/core/streaming.ts",
    find: "for (let ticket = waitList.shift(list); ticket; ticket = waitList.shift(list)) {",
    replace: "for (let ticket = waitList.shift(list); ticket; ticket = undefined) {",
    caughtBy: "three next of a stream of one item, and one when it has ended: each settles, in order"
  },
  {
    name: "a flow that drops the item that comes while it is left",
    primitive: "Streaming",
    why: "The queue has handed it over already.",
    file: "src/core/streaming.ts",
    find: `return advance(state, handLate(state, items))`,
    replace: `return advance(state)`,
    caughtBy: "promises: next of a queue twice, and return meanwhile: all settle, in order, and no item is lost"
  },
  {
    name: "a flow that is closed before its source has answered",
    primitive: "Streaming",
    why: "The answer was on its way, with an item.",
    file: "src/promise/flow.ts",
    find: "} else if (state.asked) void turn().then(() => this.step(core.closed(state, failure)))",
    replace: "}",
    caughtBy: "promises: next of a queue twice, and throw meanwhile: all settle, in order, and no item is lost"
  },
  {
    name: "a queue's iterator that is left while it waits",
    primitive: "Streaming",
    why: "Its place in the line stays, and takes the item that comes next with it.",
    file: "src/promise/WorkQueue.ts",
    find: "value: await this.take({ signal })",
    replace: "value: await this.take()",
    caughtBy:
      "promises: next of a queue twice, and the queue's own return meanwhile: all settle, in order, and no item is lost"
  },
  {
    name: "a queue's iterator that fails when the queue has ended",
    primitive: "Streaming",
    why: "The end of a queue is the end of a loop over it.",
    file: "src/promise/WorkQueue.ts",
    find: "if (signal.aborted || error instanceof QueueClosed) return done",
    replace: "if (signal.aborted) return done",
    caughtBy:
      "promises: three next of a queue, a loop with a break, and what is left (its own iterator): in order, and done after the end"
  }
]

const task: ReadonlyArray<Mutant> = [
  {
    name: "a task that runs although it was cancelled before it began",
    primitive: "Task",
    why: "It is told to stop before there is a fiber to interrupt.",
    file: "src/internal/task.ts",
    find: "if (state.stop !== undefined) return Effect.succeed(end(core.cancelled(state), false))",
    replace: "",
    caughtBy: "cancelled before its first step it does not run; after it, it cleans up"
  },
  {
    name: "a task whose cancel does not wait for the cleanup",
    primitive: "Task",
    why: "asyncio's `task.cancel()`: a request, and not an end.",
    file: "src/internal/task.ts",
    find: `within(
          limit,
          ended(state, false, () => Effect.void)
        )`,
    replace: "Effect.succeed(true)",
    caughtBy: "cancelled twice: both wait for the one cleanup"
  },
  {
    name: "a task whose failure is lost with the one who waited for it",
    primitive: "Task",
    why: "The failure and the interruption come in the same tick.",
    file: "src/core/task.ts",
    find: "return settle(undefined, reporting, undefined)",
    replace: "return undefined",
    caughtBy: "a failure is reported once, or somebody who waits has it"
  },
  {
    name: "a task that tells only the first who waits",
    primitive: "Task",
    why: "Of two who cancel, one waits for ever.",
    file: "src/core/task.ts",
    find: "return state.waiting && waitList.settleAll(state.waiting, undefined, outcome)",
    replace: `const first = state.waiting && waitList.shift(state.waiting)
  return first && settle(undefined, first, outcome)`,
    caughtBy: "no finalizer is skipped, and all who wait hear the same, whoever is interrupted and whoever cancels"
  },
  {
    name: "a task that forgets a callback which comes late",
    primitive: "Task",
    why: "It was registered after the end.",
    file: "src/core/task.ts",
    find: "if (state.outcome) return settle(undefined, ticket, state.outcome)",
    replace: "if (state.outcome) return undefined",
    caughtBy: "callbacks are called once each, also when registered late; those removed in time are not"
  },
  {
    name: "a task that calls a callback which was removed in time",
    primitive: "Task",
    why: "It says so and does nothing.",
    file: "src/internal/task.ts",
    find: "if (inTime) core.leave(state, ticket)",
    replace: "",
    caughtBy: "callbacks are called once each, also when registered late; those removed in time are not"
  },
  {
    name: "a task of an async function whose signal tells nothing",
    primitive: "Task",
    why: "The function never hears that it is to stop.",
    file: "src/promise/Task.ts",
    find: "this.controller?.abort(this.result!.reason)",
    replace: "",
    caughtBy: "promises: cancelled at any moment, all who wait hear the same, and what began is cleaned up"
  }
]

const background: ReadonlyArray<Mutant> = [
  {
    name: "a registry that is empty before its failures are told",
    primitive: "Background",
    why: "The process ends, and nobody has read them.",
    file: "src/core/background.ts",
    find: `  if (reporting) running.add(state.reports, entry)
`,
    replace: "",
    caughtBy: "a failure is reported once, before it is empty"
  },
  {
    name: "a registry that starts tasks after it was closed",
    primitive: "Background",
    why: "Nobody waits for them.",
    file: "src/core/background.ts",
    find: `  if (!isOpen(state)) return new BackgroundClosed(entry.name)
`,
    replace: "",
    caughtBy: "cancelAll and close, at any moment: everything ends, nothing is started later, nobody is left waiting"
  },
  {
    name: "a registry that can be interrupted between taking a task in and starting it",
    primitive: "Background",
    why: "It waits for a task that never was.",
    file: "src/Background.ts",
    find: `    return Effect.uninterruptible(
      Effect.suspend((): Effect.Effect<void, BackgroundClosed`,
    replace: `    return Effect.flatten(
      Effect.sync((): Effect.Effect<void, BackgroundClosed`,
    caughtBy: "fibers and async functions start there, and one of each kind waits until it is empty",
    model: "aggressive"
  },
  {
    name: "a registry that runs more than may",
    primitive: "Background",
    why: "The concurrency is counted and not kept.",
    file: "src/Background.ts",
    find: "semaphore === undefined ? effect : hold(",
    replace: "true ? effect : hold(",
    caughtBy: "fibers and async functions start there, and one of each kind waits until it is empty"
  },
  {
    name: "a registry that tells only the first task to stop",
    primitive: "Background",
    why: "It waits for the others, who go on.",
    file: "src/core/background.ts",
    find: "for (const each of tasks(state)) chain = concat(chain, task.stop(each, reason))",
    replace: "for (const each of tasks(state).slice(0, 1)) chain = concat(chain, task.stop(each, reason))",
    caughtBy: "all are cancelled, and not only the first"
  },
  {
    name: "a registry that drains and cancels",
    primitive: "Background",
    why: "It was to let them end.",
    file: "src/core/background.ts",
    find: `if (state.onClose === "interrupt") return stop(`,
    replace: "if (true) return stop(",
    caughtBy: "draining waits for all that was taken"
  },
  {
    name: "a registry whose `run` leaves its work behind",
    primitive: "Background",
    why: "The caller has gone, and what it ran goes on.",
    file: "src/Background.ts",
    find: "wake(concat(tasks.leave(state, caller), tasks.stop(state, undefined)))",
    replace: "wake(tasks.leave(state, caller))\n      return Effect.failCause(cause)",
    caughtBy:
      "who runs has ended when the work has, and a failure is heard or reported, whoever is interrupted or cancelled"
  },
  {
    name: "a registry whose `run` takes a failure for heard that nobody heard",
    primitive: "Background",
    why: "Its caller was interrupted in the tick in which the work failed: that is silent then.",
    file: "src/Background.ts",
    find: "wake(concat(tasks.leave(state, caller), tasks.stop(state, undefined)))",
    replace: "wake(tasks.stop(state, undefined))",
    caughtBy:
      "who runs has ended when the work has, and a failure is heard or reported, whoever is interrupted or cancelled"
  },
  {
    name: "a registry whose `run` asks for its work when that has begun",
    primitive: "Background",
    why: "Its caller was preempted in between: it gets a failure that was reported as nobody's. Ours did so.",
    file: "src/Background.ts",
    find: `      if (caller !== undefined) wake(tasks.enqueue(entry.task, caller))
      return this.launch(where, entry, effect)`,
    replace: `      return Effect.map(this.launch(where, entry, effect), (task) => {
        if (caller !== undefined) wake(tasks.enqueue(entry.task, caller))
        return task
      })`,
    caughtBy: "what `run` fails with is its caller's, and nobody else is told, however late he goes on",
    model: "elastic"
  },
  {
    name: "a registry that does not wait for what a race has left behind",
    primitive: "Background",
    why: "The race is over, and its failure is reported a turn later: the program may have ended by then. Ours did so.",
    file: "src/internal/task.ts",
    find: `        hooks.unclaimed()
`,
    replace: "",
    caughtBy:
      "what a race leaves behind is reported once, before a closing has ended that comes after it, whoever is interrupted"
  }
]

const taskGroup: ReadonlyArray<Mutant> = [
  {
    name: "a group that goes on when a task has failed",
    primitive: "TaskGroup",
    why: "asyncio.gather: the others run on, and here the group waits for them.",
    file: "src/core/taskGroup.ts",
    find: `    chain = tell(state, { why: "failure", reason: how.errors[0] })
`,
    replace: "",
    caughtBy: "a failure stops the others and the body, and when the group ends all have ended"
  },
  {
    name: "a group that ends before the last of its tasks",
    primitive: "TaskGroup",
    why: "A fencepost.",
    file: "src/core/running.ts",
    find: "return --state.size === 0 ?",
    replace: "return --state.size <= 1 ?",
    caughtBy: "tasks are added while the group ends: each runs to its end, or is refused, or is stopped"
  },
  {
    name: "a group that leaves its tasks when it is interrupted",
    primitive: "TaskGroup",
    why: "Structured only as long as nobody interrupts it.",
    file: "src/TaskGroup.ts",
    find: "return Effect.flatMap(ticket.settlement, () => settled(interruption))",
    replace: "return settled(interruption)",
    caughtBy: "interrupted from outside, once or twice, it waits for all who began"
  },
  {
    name: "a group whose errors come in the order of the failures",
    primitive: "TaskGroup",
    why: "Which is another one each time.",
    file: "src/core/taskGroup.ts",
    find: "state.failures.sort((a, b) => a.order - b.order)",
    replace: "state.failures",
    caughtBy: "of several failures none is lost, and they are in order of the start"
  },
  {
    name: "a group that keeps the first error only",
    primitive: "TaskGroup",
    why: "Promise.all: the second is lost.",
    file: "src/core/taskGroup.ts",
    find: "state.failures.push({ ...how, name, order })",
    replace: "if (!state.stop) state.failures.push({ ...how, name, order })",
    caughtBy: "promises: a group waits for all, whoever fails or aborts it, and every promise settles"
  },
  {
    name: "a group that does not stop a task which has not begun",
    primitive: "TaskGroup",
    why: "It was told before there was a fiber to interrupt.",
    file: "src/internal/worker.ts",
    find: "if (worker.settled) interruptNow(fiber, fiber)",
    replace: "",
    caughtBy: "a failure stops the others and the body, and when the group ends all have ended",
    model: "elastic"
  },
  {
    name: "a group that takes tasks in although it stops",
    primitive: "TaskGroup",
    why: "They are told nothing, and it waits for them.",
    file: "src/core/taskGroup.ts",
    find: `return now === "open" ? state`,
    replace: `return now !== "closed" ? state`,
    caughtBy: "a task that comes when its group stops is refused, or told to stop"
  }
]

const shield: ReadonlyArray<Mutant> = [
  {
    name: "a shield that takes a caller who has gone for one who has heard",
    primitive: "Shield",
    why: "The failure and the interruption come in the same tick, and it is nobody's.",
    file: "src/core/shield.ts",
    find: "if (ticket.settled) work.heard--",
    replace: "if (ticket.settled) return undefined",
    caughtBy: "a failure has its caller, or is reported, once, also in the tick of the interruption"
  },
  {
    name: "a shield that reports a failure twice",
    primitive: "Shield",
    why: "The work when it ends, and the caller when he has gone.",
    file: "src/core/shield.ts",
    find: `return undefined
  work.reported = true
`,
    replace: "return undefined\n",
    caughtBy: "a failure has its caller, or is reported, once, also in the tick of the interruption",
    model: "elastic"
  },
  {
    name: "a shield whose critical caller goes before the work has ended",
    primitive: "Shield",
    why: "asyncio.shield: the caller goes on while the work does.",
    file: "src/Shield.ts",
    find: "Effect.flatMap(settlement, () => restore(Effect.void))",
    replace: "restore(settlement)",
    caughtBy: "work that began ends, wherever its caller is interrupted"
  },
  {
    name: "a shield that does not wait for the last work",
    primitive: "Shield",
    why: "A fencepost.",
    file: "src/core/running.ts",
    find: "if (state.size === 0) return settle(undefined, ticket, undefined)",
    replace: "if (state.size <= 1) return settle(undefined, ticket, undefined)",
    caughtBy: "closing waits for all that was taken in; what comes later is refused"
  },
  {
    name: "a shield whose work is interrupted with its caller",
    primitive: "Shield",
    why: "It shields nothing.",
    file: "src/Shield.ts",
    find: `            core.leave(work, ticket)
            return Effect.zipRight(this.reportLate(work), Effect.failCause(cause))`,
    replace: `            core.leave(work, ticket)
            return Effect.zipRight(fiber.interruptAsFork(fiber.id()), Effect.zipRight(this.reportLate(work), Effect.failCause(cause)))`,
    caughtBy: "work that began ends, wherever its caller is interrupted"
  },
  {
    name: "a shield that lets a failure go with a caller who may yet go himself",
    primitive: "Shield",
    why: "Whoever closes it is woken, and ends the program before the failure is told. Ours did: the failure came back, was told, and logged as well.",
    file: "src/core/shield.ts",
    find: "return end.failed ? chain : concat(chain, remove(state, work))",
    replace: "return end.failed && work.heard === 0 ? chain : concat(chain, remove(state, work))",
    caughtBy:
      "a closing has ended when each failure is somebody's or reported, and nothing is given up, whoever is interrupted"
  },
  {
    name: "a shield that never lets go of a failure that its caller has",
    primitive: "Shield",
    why: "It waits for a report that nobody makes.",
    file: "src/Shield.ts",
    find: `            wake(core.take(this[TypeId], work))
`,
    replace: "",
    caughtBy: "a failure has its caller, or is reported, once, also in the tick of the interruption"
  }
]

const leases: ReadonlyArray<Mutant> = [
  {
    name: "a lease line that does not note what happens while it asks",
    primitive: "DistributedMutex",
    why: "The answer is older than the message: the wake-up is lost.",
    file: "src/core/leaseLine.ts",
    find: "  if (line.question !== undefined) line.question.news = true\n  else if",
    replace: "  if",
    caughtBy: "who waits for another instance is woken by it, long before the poll"
  },
  {
    name: "a lease line that sleeps as soon as it watches",
    primitive: "DistributedMutex",
    why: "What was freed between the question and the watch: check, watch, check.",
    file: "src/core/leaseLine.ts",
    find: '  line.watch = "on"\n  return news(line, now)',
    replace: '  line.watch = "on"\n  return undefined',
    caughtBy: "what is freed before the store is watched is not overlooked"
  },
  {
    name: "a lease line that sleeps without an end",
    primitive: "DistributedMutex",
    why: "The message was the only thing that would wake it. (Redisson #3730.)",
    file: "src/core/leaseLine.ts",
    find: "line.wakeAt = now + Math.max(leastPause, milliseconds)",
    replace: "line.wakeAt = now + 1e6",
    caughtBy: "if messages are lost, those who wait ask by themselves"
  },
  {
    name: "a lease line that lets those who only try go first",
    primitive: "DistributedMutex",
    why: "They overtake.",
    file: "src/core/leaseLine.ts",
    find: "waitList.push(line.waiting, ticket)\n",
    replace: "waitList.push(line.waiting, ticket, ticket.request.tries ? -1 : 0)\n",
    caughtBy: "who only tries stands behind those who are being asked for"
  },
  {
    name: "a lessor that keeps what is granted to one who has gone",
    primitive: "DistributedMutex",
    why: "effect-distributed-lock left the permit held after 97 of 300 interrupted requests.",
    file: "src/core/lessor.ts",
    find: "      this.giveBack(held)\n",
    replace: "",
    caughtBy: "what is granted to one who has gone goes back"
  },
  {
    name: "a lessor that forgets the grant of one who is interrupted in the same step",
    primitive: "DistributedMutex",
    why: "Between the grant and the caller's next step.",
    file: "src/core/lessor.ts",
    find: "if (taken) this.release(heldOf(ticket.result!), () => {})\n    else",
    replace: "if (!taken)",
    caughtBy: "one at a time, in order of their tokens, and nothing is left held, whoever is interrupted"
  },
  {
    name: "a lessor that does not mind what became of a question that failed",
    primitive: "DistributedMutex",
    why: "Only the answer was lost: the store has granted it.",
    file: "src/core/lessor.ts",
    find: "        this.port.release({ name, holder }, nothing, nothing)\n        const chain",
    replace: "        const chain",
    caughtBy: "questions that fail, with or without having arrived: all who wait are told, and nothing is left held"
  },
  {
    name: "a lease without a deadline",
    primitive: "DistributedMutex",
    why: "The store is gone, and the holder goes on as if it had the lock. (effect-distributed-lock; redlock #253.)",
    file: "src/core/lease.ts",
    find: `lease.status === "held" && lease.deadline <= now ?`,
    replace: `lease.status === "held" && lease.deadline <= now - 1e6 ?`,
    caughtBy: "a store that does not answer any more: whoever holds is told by his own clock, and nothing is renewed"
  },
  {
    name: "a lease that is counted from when the answer comes",
    primitive: "DistributedMutex",
    why: "The store counts from before that: for the time of the answer's way both believe that they have it.",
    file: "src/core/lessor.ts",
    find: "new Held(line, holder, permits, token, sentAt)",
    replace: "new Held(line, holder, permits, token, this.time.now() + 20)",
    caughtBy: "a store that does not answer any more: whoever holds is told by his own clock, and nothing is renewed"
  },
  {
    name: "a lock whose body does not hear of the loss",
    primitive: "DistributedMutex",
    why: "redlock's signal aborts only when a renewal fails.",
    file: "src/internal/lessor.ts",
    find: "held.listen(() => work.stop())",
    replace: "held.listen(() => {})",
    caughtBy: "a lease that is lost: the body is interrupted, its caller is told, and the next has it"
  },
  {
    name: "permits on lease that are handed to one who wants more",
    primitive: "DistributedSemaphore",
    why: "Whom they were asked for is gone, and the next in line wants another number.",
    file: "src/core/leaseLine.ts",
    find: "first?.request.permits === permits",
    replace: "first !== undefined",
    caughtBy: "no more are held than there are, and all come back, whatever is asked for and whoever is interrupted"
  }
]

export const mutants: ReadonlyArray<Mutant> = [
  ...semaphore,
  ...mutex,
  ...guarded,
  ...event,
  ...condition,
  ...barrier,
  ...workQueue,
  ...wait,
  ...streaming,
  ...task,
  ...deferred,
  ...background,
  ...taskGroup,
  ...shield,
  ...leases,
  ...time.mutants,
  ...executor.mutants,
  ...queue.mutants,
  ...meetings.mutants
]
