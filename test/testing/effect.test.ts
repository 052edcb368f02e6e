/**
 * Effect's own parts as subjects: what the explorer finds in them, under which model. This documents why this library has its own, and
 * that the explorer can find what is known to be there. When one of these fails after an update of Effect, Effect has changed: if no finding comes
 * any more, it was mended, and what says otherwise here, in the README and in the design can go.
 *
 * The stock scheduler shows the first without an explorer; see test/utils/sweep.test.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Mailbox, Queue } from "effect"
import { Semaphore, WorkQueue } from "effect-concurrency"
import { Explore } from "effect-concurrency/testing"

/** One offers, one takes, one interrupts the taker. The item is with the taker in the end, or still in the queue. */
const takeOrLeave = <Q>(parts: {
  readonly make: Effect.Effect<Q>
  readonly offer: (queue: Q) => Effect.Effect<unknown, unknown>
  readonly take: (queue: Q) => Effect.Effect<unknown, unknown>
  readonly size: (queue: Q) => Effect.Effect<number>
}) =>
  Effect.gen(function* () {
    const queue = yield* parts.make
    const taker = yield* Explore.fork("taker", Effect.zipRight(Explore.work, parts.take(queue)))
    const offerer = yield* Explore.fork("offerer", Effect.zipRight(Explore.work, parts.offer(queue)))
    const interrupter = yield* Explore.fork("interrupter", Effect.zipRight(Explore.work, Fiber.interrupt(taker)))
    for (const fiber of [offerer, interrupter]) yield* Fiber.join(fiber)
    const exit = yield* Fiber.await(taker)
    if (Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)) return yield* exit
    const left = yield* parts.size(queue)
    // What failure looks like: the taker ends interrupted, the offer succeeded, and the queue is empty.
    if (Exit.isFailure(exit) && left === 0) return yield* Effect.fail("the item is lost")
    if (Exit.isSuccess(exit) && left === 1) return yield* Effect.fail("the item is there twice")
  })

const queue = takeOrLeave({
  make: Queue.unbounded<number>(),
  offer: (self) => Queue.offer(self, 1),
  take: Queue.take,
  size: Queue.size
})

const mailbox = takeOrLeave({
  make: Mailbox.make<number>(),
  offer: (self) => self.offer(1),
  take: (self) => self.take,
  size: (self) => Effect.map(self.size, (size) => (size._tag === "Some" ? size.value : 0))
})

const workQueue = takeOrLeave({
  make: WorkQueue.make<number>(),
  offer: (self) => self.offer(1),
  take: (self) => self.take,
  size: (self) => self.size
})

describe("Effect's Queue", () => {
  it("loses the item of a taker that is interrupted, in an order that production has", async () => {
    const { finding } = await Explore.report(queue, { model: "taskOrder" })
    assert.strictEqual(finding?.cause, "the item is lost")
  })
})

describe("Effect's Mailbox", () => {
  it("loses no item when only the order changes", async () => {
    const { complete } = await Explore.check(mailbox, { model: "taskOrder", time: 20_000 })
    assert.isTrue(complete)
  })

  it("loses one when the budget of operations runs out inside the take", async () => {
    const { finding } = await Explore.report(mailbox, { model: "elastic", time: 20_000 })
    assert.strictEqual(finding?.cause, "the item is lost")
  })
})

describe("our WorkQueue", () => {
  it.each(["taskOrder", "elastic", "aggressive"] as const)("loses none under %s", async (model) => {
    await Explore.check(workQueue, { model, runs: 5_000 })
  })
})

/** The part of a semaphore that both have. */
interface WithPermits {
  readonly withPermits: (permits: number) => <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** One holds the permit, others come one after the other; whoever came first is to have it first. */
const inOrder = (make: Effect.Effect<WithPermits>) =>
  Effect.gen(function* () {
    const semaphore = yield* make
    const asked: Array<string> = []
    const got: Array<string> = []
    const user = (name: string) =>
      Explore.fork(
        name,
        Effect.zipRight(
          Effect.sync(() => asked.push(name)),
          semaphore.withPermits(1)(
            Effect.zipRight(
              Effect.sync(() => got.push(name)),
              Effect.yieldNow()
            )
          )
        )
      )
    const fibers = [yield* user("a"), yield* user("b"), yield* user("c")]
    for (const fiber of fibers) yield* Fiber.join(fiber)
    // What failure looks like: a, b, c asked, and a, c, b got it. The release only wakes b, and c finds the permit free before b has it.
    if (asked.join() !== got.join()) return yield* Effect.fail(`${asked.join()} asked, ${got.join()} got it`)
  })

/** A user that may be interrupted; the permit is free in the end. */
const givenBack = (make: Effect.Effect<WithPermits>) =>
  Effect.gen(function* () {
    const semaphore = yield* make
    const user = yield* Explore.fork("user", semaphore.withPermits(1)(Effect.void))
    yield* Fiber.await(user)
    // What failure looks like: this waits for a permit that nobody has.
    yield* semaphore.withPermits(1)(Effect.void)
  })

describe("Effect's semaphore", () => {
  it("grants out of order, in an order of tasks that production has", async () => {
    const { finding } = await Explore.report(inOrder(Effect.makeSemaphore(1)), { model: "taskOrder" })
    assert.strictEqual(finding?.kind, "failure")
    assert.match(String(finding?.cause), /asked, .* got it/)
  })

  it("leaks the permit of a user who is interrupted at an unlucky operation", async () => {
    const scenario = givenBack(Effect.makeSemaphore(1))
    const { finding } = await Explore.report(scenario, { interrupt: ["user"], bound: 0 })
    assert.strictEqual(finding?.kind, "deadlock")
    assert.strictEqual(finding?.size, 1)
    // The stock scheduler interrupts at no such operation: this is not a bug of production, but below the bar of Effect 4.
    assert.isTrue((await Explore.interruptEverywhere(scenario, { model: "taskOrder" })).complete)
  })
})

describe("our Semaphore", () => {
  const make = Semaphore.make({ permits: 1 })

  it("grants in order", async () => {
    await Explore.check(inOrder(make), { model: "taskOrder" })
  })

  it("leaks nothing, wherever its user is interrupted", async () => {
    assert.isTrue((await Explore.interruptEverywhere(givenBack(make))).complete)
  })
})
