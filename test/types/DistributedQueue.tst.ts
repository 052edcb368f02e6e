import { Context, Effect, type Layer, Schema, type Scope } from "effect"
import { type DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { describe, expect, test } from "tstyche"

const Job = Schema.Struct({ at: Schema.Date })
type Job = typeof Job.Type

declare const queue: DistributedQueue.DistributedQueue<Job>

class Needed extends Context.Tag("Needed")<Needed, number>() {}

describe("DistributedQueue", () => {
  test("with a schema its items are what that says; without, anything", () => {
    expect(DistributedQueue.make({ name: "q", schema: Job })).type.toBe<
      Effect.Effect<DistributedQueue.DistributedQueue<Job>, never, DeliveryStore.DeliveryStore>
    >()
    expect(DistributedQueue.make({ name: "q" })).type.toBe<
      Effect.Effect<DistributedQueue.DistributedQueue<unknown>, never, DeliveryStore.DeliveryStore>
    >()
  })

  test("the store, and the loss of a lease, are in the types", () => {
    expect(queue.offer({ at: new Date() })).type.toBe<
      Effect.Effect<DistributedQueue.Offered, DistributedQueue.StoreError>
    >()
    expect(queue.take).type.toBe<
      Effect.Effect<DistributedQueue.Delivery<Job>, DistributedQueue.StoreError, Scope.Scope>
    >()
    expect<DistributedQueue.Delivery<Job>["acknowledge"]>().type.toBe<
      Effect.Effect<void, DistributedQueue.LeaseLost | DistributedQueue.StoreError>
    >()
    expect<DistributedQueue.Delivery<Job>["lost"]>().type.toBe<Effect.Effect<never, DistributedQueue.LeaseLost>>()
  })

  test("consume needs what its handler needs, and its failures are the queue's business", () => {
    const handler = ({ at }: Job) => Effect.flatMap(Needed, () => Effect.fail(at))
    expect(queue.consume(handler)).type.toBe<Effect.Effect<never, DistributedQueue.StoreError, Needed>>()
  })

  test("only what the schema allows is offered", () => {
    expect(queue.offer).type.not.toBeCallableWith({ at: "now" })
  })

  test("a service, whose layer needs a store", () => {
    class Jobs extends DistributedQueue.Service<Jobs>()("Jobs", { name: "jobs", schema: Job }) {}
    expect(Jobs.layer).type.toBe<Layer.Layer<Jobs, never, DeliveryStore.DeliveryStore>>()
    expect(Jobs.offer({ at: new Date() })).type.toBe<
      Effect.Effect<DistributedQueue.Offered, DistributedQueue.StoreError, Jobs>
    >()
  })
})

describe("the facade", () => {
  test("a view has the items of the queue", () => {
    expect(Promises.DistributedQueue.from(queue)).type.toBe<Promises.DistributedQueue<Job>>()
  })
})
