import { Config, type ConfigError, Effect, type Layer, type Option, Order, type Stream } from "effect"
import { WorkQueue } from "effect-concurrency"
import { describe, expect, it } from "tstyche"

type Job = { readonly id: number }

declare const queue: WorkQueue.WorkQueue<Job, "broken">

describe("WorkQueue", () => {
  it("cannot fail on the way in but by being closed", () => {
    expect(queue.offer({ id: 1 })).type.toBe<Effect.Effect<boolean, WorkQueue.QueueClosed>>()
    expect(queue.offerAll([{ id: 1 }])).type.toBe<Effect.Effect<Array<Job>, WorkQueue.QueueClosed>>()
    expect(queue.tryOffer({ id: 1 })).type.toBe<Effect.Effect<boolean, WorkQueue.QueueClosed>>()
  })

  it("can be full with the strategy that refuses, and with no other", () => {
    const refusing = WorkQueue.makeUnsafe<Job>({ capacity: 1, strategy: "reject" })
    expect(refusing.offer({ id: 1 })).type.toBe<Effect.Effect<boolean, WorkQueue.QueueClosed | WorkQueue.QueueFull>>()
    const dropping = WorkQueue.makeUnsafe<Job>({ capacity: 1, strategy: "dropping" })
    expect(dropping.offer({ id: 1 })).type.toBe<Effect.Effect<boolean, WorkQueue.QueueClosed>>()
  })

  it("gives takers what it was failed with", () => {
    type Closed = WorkQueue.QueueClosed | "broken"
    expect(queue.take).type.toBe<Effect.Effect<Job, Closed>>()
    expect(queue.takeUpTo(2)).type.toBe<Effect.Effect<Array<Job>, Closed>>()
    expect(queue.takeAll).type.toBe<Effect.Effect<Array<Job>, Closed>>()
    expect(queue.tryTake).type.toBe<Effect.Effect<Option.Option<Job>, Closed>>()
    expect(queue.peek).type.toBe<Effect.Effect<Option.Option<Job>>>()
    expect(queue.stream).type.toBe<Stream.Stream<Job, "broken">>()
    expect(queue.shutdown).type.toBe<Effect.Effect<Array<Job>>>()
    expect(queue.join).type.toBe<Effect.Effect<void>>()
  })

  it("fails with and requires what its handler does", () => {
    const handler = (job: Job): Effect.Effect<number, "e", "r"> => Effect.succeed(job.id)
    expect(queue.consume(handler)).type.toBe<Effect.Effect<void, "broken" | "e", "r">>()
    expect(queue.consume(handler, { concurrency: 3, onFailure: "requeue" })).type.toBe<
      Effect.Effect<void, "broken" | "e", "r">
    >()
  })

  it("has errors that are caught by their tags", () => {
    const caught = queue.take.pipe(Effect.catchTag("QueueClosed", () => Effect.succeedNone))
    expect(caught).type.toBe<Effect.Effect<Job | Option.Option<never>, "broken">>()
  })

  it("takes an order of its items", () => {
    const byId = Order.mapInput(Order.number, (job: Job) => job.id)
    expect(WorkQueue.make<Job>({ order: byId })).type.toBe<Effect.Effect<WorkQueue.WorkQueue<Job>>>()
    expect(WorkQueue.make<Job>).type.not.toBeCallableWith({ order: Order.string })
  })

  it("refuses misuse", () => {
    expect(WorkQueue.make<Job>).type.not.toBeCallableWith({ capacity: "1" })
    expect(WorkQueue.make<Job>).type.not.toBeCallableWith({ strategy: "block" })
    expect(WorkQueue.make<Job>).type.not.toBeCallableWith({ order: "random" })
    expect(WorkQueue.make<Job>).type.not.toBeCallableWith({ size: 1 })
    expect(queue.offer).type.not.toBeCallableWith({ id: "1" })
    expect(queue.offerAll).type.not.toBeCallableWith({ id: 1 })
    expect(queue.takeUpTo).type.not.toBeCallableWith("1")
    expect(queue.fail).type.not.toBeCallableWith("another")
    expect(queue.consume).type.not.toBeCallableWith((job: Job) => job.id)
    expect(queue.consume).type.not.toBeCallableWith(() => Effect.void, { onFailure: "ignore" })
  })
})

describe("WorkQueue.Service", () => {
  class Jobs extends WorkQueue.Service<Jobs, Job, "broken">()("app/Jobs", { capacity: 10 }) {}

  it("adds itself to the requirements until its layer is provided", () => {
    expect(Jobs.offer({ id: 1 })).type.toBe<Effect.Effect<boolean, WorkQueue.QueueClosed, Jobs>>()
    expect(Jobs.take).type.toBe<Effect.Effect<Job, WorkQueue.QueueClosed | "broken", Jobs>>()
    expect(Jobs.stream).type.toBe<Stream.Stream<Job, "broken", Jobs>>()
    const handler = (_job: Job): Effect.Effect<void, "e", "r"> => Effect.void
    expect(Jobs.consume(handler)).type.toBe<Effect.Effect<void, "broken" | "e", "r" | Jobs>>()
    expect(Jobs.layer).type.toBe<Layer.Layer<Jobs>>()
    expect(Jobs.join.pipe(Effect.provide(Jobs.layer))).type.toBe<Effect.Effect<void>>()
  })

  it("puts the error of its options into the layer", () => {
    const config = Config.map(Config.integer("CAPACITY"), (capacity) => ({ capacity }))
    class Configured extends WorkQueue.Service<Configured, Job>()("app/Configured", config) {}
    expect(Configured.layer).type.toBe<Layer.Layer<Configured, ConfigError.ConfigError>>()
  })
})
