/** Everybody's way to decide on Redis whether a call may go on: a million a minute, so that all may. */
import { client, each, held, port, stores, storesLayer } from "./distributedServer.js"
import { ours } from "./workload.js"

/** Whether one of this key may go on. */
export type Decide = (key: string) => Promise<boolean>

export type MakeLimit = () => Promise<Decide>

export type DecideEffect = (key: string) => import("effect").Effect.Effect<boolean, unknown>

export type MakeEffectLimit = () => Promise<DecideEffect>

const limit = 1_000_000
const interval = 60_000

const limiter: MakeLimit = async () => {
  const { DistributedRateLimiter } = await import("effect-concurrency/promise/distributed")
  const limiter = new DistributedRateLimiter((await stores()).rates, { limit, interval })
  return async (key) => (await limiter.tryConsume(key)).allowed
}

const limiterEffect: MakeEffectLimit = async () => {
  const { Effect, Layer } = await import("effect")
  const { DistributedRateLimiter } = await import("effect-concurrency/distributed")
  const context = await held(Layer.build(await storesLayer()))
  const limiter = await held(Effect.provide(DistributedRateLimiter.make({ limit, interval }), context))
  return (key) => Effect.map(limiter.tryConsume(key), ({ allowed }) => allowed)
}

const flexible: MakeLimit = async () => {
  const { RateLimiterRedis } = await import("rate-limiter-flexible")
  const limiter = new RateLimiterRedis({ storeClient: await client(), points: limit, duration: interval / 1_000 })
  return async (key) => (await limiter.consume(key)).remainingPoints > 0
}

/** It has no decision: it runs something when that may go on. */
const bottleneck: MakeLimit = async () => {
  const { default: Bottleneck } = await import("bottleneck")
  const { Redis } = await import("ioredis")
  const clientOptions = { host: "127.0.0.1", port: await port() }
  const connection = new Bottleneck.IORedisConnection({ clientOptions, Redis } as object)
  const limiter = each((id) => {
    const refresh = { reservoirRefreshAmount: limit, reservoirRefreshInterval: interval }
    return new Bottleneck({ id, reservoir: limit, ...refresh, datastore: "ioredis", connection })
  })
  return (key) => limiter(key).schedule(async () => true)
}

/** The least that one script can do: it counts in a window. */
const count =
  'local n = redis.call("INCR", KEYS[1]) if n == 1 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end return n'

const script: MakeLimit = async () => {
  const redis = await client()
  const sha = (await redis.script("LOAD", count)) as string
  return async (key) => ((await redis.evalsha(sha, 1, key, interval)) as number) <= limit
}

const inEffect =
  (make: MakeLimit): MakeEffectLimit =>
  async () => {
    const { Effect } = await import("effect")
    const decide = await make()
    return (key) => Effect.promise(() => decide(key))
  }

export const limits = { [ours]: limiter, "rate-limiter-flexible": flexible, bottleneck, "floor: one script": script }

export const effectLimits = {
  [ours]: limiterEffect,
  "rate-limiter-flexible in an effect": inEffect(flexible),
  "floor: one script": inEffect(script)
}
