/** Everybody's queue on Redis, with one who puts in and one who works off, each with a connection. */
import { client, held, port, stores, storesLayer } from "./distributedServer.js"
import { ours } from "./workload.js"

export interface Line {
  /** One item, in the queue when it is fulfilled. */
  readonly offer: (item: number) => Promise<unknown>
  /** Many at once. */
  readonly offerAll: (items: ReadonlyArray<number>) => Promise<unknown>
}

/** Begins to work off, so many at a time, with an empty handler, and calls when an item is done and the server knows it, or shortly after. */
export type MakeQueue = (concurrency: number, handled: () => void) => Promise<Line & { joined?: () => Promise<void> }>

const lease = 10_000
const name = "bench"

const queue: MakeQueue = async (concurrency, handled) => {
  const { DistributedQueue } = await import("effect-concurrency/promise/distributed")
  const make = async () => new DistributedQueue<number>((await stores()).deliveries, { name, lease })
  const [here, there] = [await make(), await make()]
  void there.consume(async () => handled(), { concurrency })
  return {
    offer: (item) => here.offer(item),
    offerAll: (items) => here.offerAll(items),
    joined: () => here.join()
  }
}

const queueEffect: MakeQueue = async (concurrency, handled) => {
  const { Effect, Layer } = await import("effect")
  const { DistributedQueue } = await import("effect-concurrency/distributed")
  const make = async () => {
    const context = await held(Layer.build(await storesLayer()))
    return held(Effect.provide(DistributedQueue.make({ name, lease }), context))
  }
  const [here, there] = [await make(), await make()]
  Effect.runFork(there.consume(() => Effect.sync(handled), { concurrency }))
  return {
    offer: (item) => Effect.runPromise(here.offer(item)),
    offerAll: (items) => Effect.runPromise(here.offerAll(items)),
    joined: () => Effect.runPromise(here.join)
  }
}

/** It keeps what is done unless it is told not to. */
const bullmq: MakeQueue = async (concurrency, handled) => {
  const { Queue, Worker } = await import("bullmq")
  const connection = { host: "127.0.0.1", port: await port(), maxRetriesPerRequest: null }
  const queue = new Queue(name, { connection, defaultJobOptions: { removeOnComplete: true } })
  const worker = new Worker(name, async () => {}, { connection, concurrency, lockDuration: lease })
  worker.on("completed", handled)
  await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()])
  return {
    offer: (item) => queue.add("item", item),
    offerAll: (items) => queue.addBulk(items.map((data) => ({ name: "item", data })))
  }
}

/** A list, and one of what is being worked on: nobody renews, and nothing comes back. Who waits keeps a connection for himself. */
const lists: MakeQueue = async (concurrency, handled) => {
  const redis = await client()
  const work = async () => {
    const redis = await client()
    for (;;) {
      const item = await redis.brpoplpush(name, "working", 0)
      await redis.lrem("working", 1, item!)
      handled()
    }
  }
  for (let i = 0; i < concurrency; i++) void work()
  return {
    offer: (item) => redis.lpush(name, item),
    offerAll: (items) => redis.lpush(name, ...items)
  }
}

const others = { bullmq, "floor: two lists": lists }

export const queues: Record<string, MakeQueue> = { [ours]: queue, ...others }
export const effectQueues: Record<string, MakeQueue> = { [ours]: queueEffect, ...others }
