/** Everybody's way to run something with the lock of a name, on Redis, with a lease of 10 seconds. Else each has its own defaults. */
import { randomUUID } from "node:crypto"
import { client, each, held, port, stores, storesLayer } from "./distributedServer.js"
import { ours } from "./workload.js"

export type Body = () => Promise<void>

/** Runs a body with a lock. */
export type Run = (body: Body) => Promise<unknown>

/** One program, with connections of its own: it gives the lock of a name. */
export type MakeLocks = () => Promise<(name: string) => Run>

type Effect<A = void> = import("effect").Effect.Effect<A, unknown>

export type Wrap = (body: Effect) => Effect<unknown>

export type MakeEffectLocks = () => Promise<(name: string) => Wrap>

const lease = 10_000

const mutex: MakeLocks = async () => {
  const { DistributedMutex } = await import("effect-concurrency/promise/distributed")
  const mutex = new DistributedMutex((await stores()).leases, { lease })
  return (name) => (body) => mutex.run(name, body)
}

/** It retries 10 times by default, and 64 who wait need more. */
const redlock: MakeLocks = async () => {
  // @ts-ignore: it has no types, unless somebody has installed those of others.
  const { default: Redlock } = await import("redlock")
  const locks = new Redlock([await client()], { retryCount: -1 })
  return (name) => async (body) => {
    const lock = await locks.lock(name, lease)
    try {
      await body()
    } finally {
      await lock.unlock()
    }
  }
}

const redisSemaphore: MakeLocks = async () => {
  const { Mutex } = await import("redis-semaphore")
  const redis = await client()
  return (name) => async (body) => {
    const mutex = new Mutex(redis, name, { lockTimeout: lease })
    await mutex.acquire()
    try {
      await body()
    } finally {
      await mutex.release()
    }
  }
}

const bottleneck: MakeLocks = async () => {
  const { default: Bottleneck } = await import("bottleneck")
  const { Redis } = await import("ioredis")
  const clientOptions = { host: "127.0.0.1", port: await port() }
  const connection = new Bottleneck.IORedisConnection({ clientOptions, Redis } as object)
  const limiter = each((id) => new Bottleneck({ id, maxConcurrent: 1, datastore: "ioredis", connection }))
  return (name) => (body) => limiter(name).schedule({ expiration: lease }, body)
}

const deleteIfMine = 'if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end return 0'
const deleteAndTell = `${deleteIfMine.replace("return redis", 'redis.call("PUBLISH", KEYS[1], "") return redis')}`

/** The two round trips that a lock is: of the bare driver, without a token, a renewal, or a way to wait. */
const pair: MakeLocks = async () => {
  const redis = await client()
  const sha = (await redis.script("LOAD", deleteIfMine)) as string
  return (name) => async (body) => {
    const id = randomUUID()
    if ((await redis.set(name, id, "PX", lease, "NX")) !== "OK") throw new Error("it is not free")
    await body()
    await redis.evalsha(sha, 1, name, id)
  }
}

/** The same, and whoever comes later in this process waits for the one before. */
const pairsInOrder: MakeLocks = async () => {
  const locks = await sharedPairs()
  return (name) => {
    const run = locks(name)
    return (body) => {
      const before = lines.get(name) ?? Promise.resolve()
      const mine = before.then(() => run(body))
      lines.set(name, mine)
      return mine
    }
  }
}
const lines = new Map<string, Promise<unknown>>()
let pairs: ReturnType<MakeLocks> | undefined
const sharedPairs: MakeLocks = () => (pairs ??= pair())

/** The same, and who finds it taken asks again when a message says that it is free. */
const pairAndMessage: MakeLocks = async () => {
  const redis = await client()
  const listener = await client()
  const sha = (await redis.script("LOAD", deleteAndTell)) as string
  const woken = new Map<string, () => void>()
  listener.on("message", (name: string) => woken.get(name)?.())
  return (name) => async (body) => {
    const id = randomUUID()
    const take = () => redis.set(name, id, "PX", lease, "NX")
    if ((await take()) !== "OK") {
      let freed = new Promise<void>((resolve) => woken.set(name, resolve))
      await listener.subscribe(name)
      while ((await take()) !== "OK") {
        await freed
        freed = new Promise((resolve) => woken.set(name, resolve))
      }
      void listener.unsubscribe(name)
    }
    await body()
    await redis.evalsha(sha, 1, name, id)
  }
}

const mutexEffect: MakeEffectLocks = async () => {
  const { Effect } = await import("effect")
  const { DistributedMutex } = await import("effect-concurrency/distributed")
  const { Layer } = await import("effect")
  const context = await held(Layer.build(await storesLayer()))
  const mutex = await Effect.runPromise(Effect.provide(DistributedMutex.make({ lease }), context))
  return (name) => mutex.withLock(name)
}

const distributedLock: MakeEffectLocks = async () => {
  const { Effect, Layer } = await import("effect")
  const { DistributedSemaphore, RedisBacking } = await import("effect-distributed-lock")
  const context = await held(Layer.build(RedisBacking.layer(await client())))
  const options = { limit: 1, ttl: lease }
  const semaphore = each((name) =>
    Effect.runSync(Effect.provide(DistributedSemaphore.make(name, options), context) as Effect<any>)
  )
  return (name) => (body) => semaphore(name).withPermits(1)(body) as Effect
}

/** An `async` one, as an effect. */
const inEffect =
  (make: MakeLocks): MakeEffectLocks =>
  async () => {
    const { Effect } = await import("effect")
    const locks = await make()
    return (name) => {
      const run = locks(name)
      return (body) => Effect.promise(() => run(() => Effect.runPromise(body)))
    }
  }

/** An effect, as an `async` function: where the time of that does not count. */
export const outside =
  (make: MakeEffectLocks): MakeLocks =>
  async () => {
    const { Effect } = await import("effect")
    const locks = await make()
    return (name) => {
      const wrap = locks(name)
      return (body) => Effect.runPromise(wrap(Effect.promise(body)))
    }
  }

const peers = { redlock, "redis-semaphore": redisSemaphore, bottleneck }
const effectPeers = { [ours]: mutexEffect, "effect-distributed-lock": distributedLock }

/** With nobody else there; with others who are to be let in; with many. */
export const alone = { [ours]: mutex, ...peers, "floor: SET and a script": pair }
export const aloneEffect = { ...effectPeers, "floor: SET and a script": inEffect(pair) }
export const woken = { [ours]: mutex, ...peers, "floor: a message and SET": pairAndMessage }
export const wokenEffect = { ...effectPeers, "floor: a message and SET": inEffect(pairAndMessage) }
export const contended = { [ours]: mutex, ...peers, "floor: in order": pairsInOrder }
export const contendedEffect = { ...effectPeers, "floor: in order": inEffect(pairsInOrder) }
