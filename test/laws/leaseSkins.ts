/**
 * The skins of what is held on lease, over any store: fibers, promises, and both in one line. A law is written once, against these drivers.
 */
import { Duration, Effect, Exit, Option, Scope } from "effect"
import { DistributedMutex, DistributedSemaphore, type LeaseStore as Stores } from "effect-concurrency/distributed"
import * as Promises from "effect-concurrency/promise/distributed"
import { alternate, type Attempt, fork, start } from "./skins.js"

type Options = Omit<Promises.DistributedSemaphoreMakeOptions, "limit">

/** What is held. */
export interface Handle {
  readonly token: number
  readonly remaining: () => number
  /** Throws if it is lost. */
  readonly check: () => void
  /** Waits for the loss. */
  readonly lost: () => Attempt<never>
  readonly release: () => Attempt<void>
}

export interface Context {
  readonly token: number
  /** Aborts when the body is to stop. */
  readonly signal: AbortSignal
  readonly check: () => void
}

export interface Driver {
  hold<A>(name: string, permits: number, body: (context: Context) => Promise<A>): Attempt<A>
  /** Gives undefined when it was not available. */
  holdIfAvailable<A>(name: string, permits: number, body: (context: Context) => Promise<A>): Attempt<A | undefined>
  acquire(name: string, permits: number): Attempt<Handle>
  tryAcquire(name: string, permits: number): Attempt<Handle | undefined>
  stats(): { readonly held: number; readonly waiting: number }
}

export interface Skin {
  readonly name: "effect" | "promise" | "mixed"
  /** A semaphore over a store; with one permit, a mutex. */
  open(store: Promises.LeaseStore, limit: number, options?: Options): Driver
}

/** A store that answers with promises, or at once, as fibers see it. What it rejects with is a failure. */
export const storeOf = (store: Promises.LeaseStore): Stores.LeaseStoreShape<unknown> => {
  const ask = <A>(f: () => A | PromiseLike<A>) => Effect.tryPromise({ try: async () => f(), catch: (error) => error })
  return {
    acquire: (request) => ask(() => store.acquire(request)),
    renew: (request) => ask(() => store.renew(request)),
    release: (request) => ask(() => store.release(request)),
    watch: (name, onFreed) =>
      Effect.asVoid(
        Effect.acquireRelease(
          ask(() => store.watch(name, onFreed)),
          (stop) => Effect.sync(stop)
        )
      )
  }
}

const now = <A>(effect: Effect.Effect<A, unknown>): A => {
  const exit = Effect.runSyncExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw exit.cause
}

/** The error itself. */
const nowOrThrow = (effect: Effect.Effect<unknown, unknown>): void => {
  const result = now(Effect.either(effect))
  if (result._tag === "Left") throw result.left
}

const handleOf = (scope: Scope.CloseableScope, lease: DistributedSemaphore.Lease): Handle => ({
  token: lease.token,
  remaining: () => Duration.toMillis(now(lease.remaining)),
  check: () => nowOrThrow(lease.check),
  lost: () => fork(lease.lost),
  release: () => fork(Scope.close(scope, Exit.void))
})

/** An async body as an effect that can be interrupted, and fails with what it throws. */
const run = <A>(lease: DistributedSemaphore.Lease, body: (context: Context) => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({
    try: (signal) => body({ token: lease.token, signal, check: () => nowOrThrow(lease.check) }),
    catch: (error) => error
  })

type Effects = DistributedSemaphore.DistributedSemaphore<unknown>

const effectDriver = (self: Effects): Driver => ({
  hold: (name, permits, body) => fork(self.withPermits(name, permits, (lease) => run(lease, body))),
  holdIfAvailable: (name, permits, body) =>
    fork(
      Effect.map(
        self.withPermitsIfAvailable(name, permits, (lease) => run(lease, body)),
        Option.getOrUndefined
      )
    ),
  acquire: (name, permits) =>
    fork(
      Effect.flatMap(Scope.make(), (scope) =>
        Effect.map(Scope.extend(self.acquire(name, permits), scope), (lease) => handleOf(scope, lease))
      )
    ),
  tryAcquire: (name, permits) =>
    fork(
      Effect.flatMap(Scope.make(), (scope) =>
        Effect.map(Scope.extend(self.tryAcquire(name, permits), scope), (lease) =>
          Option.getOrUndefined(Option.map(lease, (lease) => handleOf(scope, lease)))
        )
      )
    ),
  stats: () => now(self.stats)
})

/** A mutex, as if it were a semaphore. */
const asSemaphore = (mutex: DistributedMutex.DistributedMutex<unknown>): Effects =>
  ({
    withPermits: (name: string, _: number, body: any) => mutex.withLock(name, body),
    withPermitsIfAvailable: (name: string, _: number, body: any) => mutex.withLockIfAvailable(name, body),
    acquire: (name: string) => mutex.acquire(name),
    tryAcquire: (name: string) => mutex.tryAcquire(name),
    stats: mutex.stats
  }) as unknown as Effects

const handle = (lease: Promises.DistributedLease): Handle => ({
  token: lease.token,
  remaining: () => lease.remaining,
  check: () => lease.check(),
  lost: () =>
    start(
      () =>
        new Promise<never>((_, reject) => {
          const { signal } = lease
          if (signal.aborted) reject(signal.reason)
          else signal.addEventListener("abort", () => reject(signal.reason))
        })
    ),
  release: () => start(() => lease.release())
})

const context = ({ lease, signal, token }: Promises.LeaseContext): Context => ({
  token,
  signal,
  check: () => lease.check()
})

const promiseDriver = (self: Promises.DistributedSemaphore): Driver => ({
  hold: (name, permits, body) => start((wait) => self.run(name, (given) => body(context(given)), { permits, ...wait })),
  holdIfAvailable: (name, permits, body) =>
    start((wait) => self.runIfAvailable(name, (given) => body(context(given)), { permits, ...wait })),
  acquire: (name, permits) => start(async (wait) => handle(await self.acquire(name, { permits, ...wait }))),
  tryAcquire: (name, permits) =>
    start(async (wait) => {
      const lease = await self.tryAcquire(name, { permits, ...wait })
      return lease && handle(lease)
    }),
  stats: () => self.stats()
})

const effectSelf = (store: Promises.LeaseStore, limit: number, options: Options | undefined): Effects =>
  now(DistributedSemaphore.make({ limit, prefix: "laws", ...options }, storeOf(store)))

export const effect: Skin = {
  name: "effect",
  open: (store, limit, options) =>
    effectDriver(
      limit === 1
        ? asSemaphore(now(DistributedMutex.make({ prefix: "laws", ...options }, storeOf(store))))
        : effectSelf(store, limit, options)
    )
}

export const promise: Skin = {
  name: "promise",
  open: (store, limit, options) =>
    promiseDriver(
      limit === 1
        ? (new Promises.DistributedMutex(store, {
            prefix: "laws",
            ...options
          }) as unknown as Promises.DistributedSemaphore)
        : new Promises.DistributedSemaphore(store, { limit, prefix: "laws", ...options })
    )
}

/** Hands every other call to the other skin, on one and the same instance. */
export const mixed: Skin = {
  name: "mixed",
  open: (store, limit, options) => {
    if (limit === 1) {
      const mutex = now(DistributedMutex.make({ prefix: "laws", ...options }, storeOf(store)))
      const view = Promises.DistributedMutex.from(mutex) as unknown as Promises.DistributedSemaphore
      return alternate(effectDriver(asSemaphore(mutex)), promiseDriver(view))
    }
    const self = effectSelf(store, limit, options)
    return alternate(effectDriver(self), promiseDriver(Promises.DistributedSemaphore.from(self)))
  }
}

export const skins: ReadonlyArray<Skin> = [effect, promise, mixed]

/** A store that is watched, and disturbed. */
export class Recorded implements Promises.LeaseStore {
  readonly log: Array<string> = []
  readonly holders = new Map<string, Set<string>>()
  /** How many questions fail next: with or without having arrived. */
  failures: Array<"lost" | "unanswered"> = []
  /** What is awaited before a question goes to the store, and before its answer comes back. */
  there: (operation: string) => Promise<void> | void = () => {}
  back: (operation: string) => Promise<void> | void = () => {}
  /** How many watch. */
  watching = 0

  constructor(readonly store: Promises.LeaseStore) {}

  private async ask<A>(operation: string, f: () => A | PromiseLike<A>): Promise<A> {
    this.log.push(operation)
    const failure = this.failures.shift()
    const error = new Error(`${operation}: down`)
    await this.there(operation)
    if (failure === "lost") throw error
    const answer = await f()
    await this.back(operation)
    if (failure === "unanswered") throw error
    return answer
  }

  acquire(request: Promises.LeaseRequest): Promise<Promises.LeaseAnswer> {
    return this.ask("acquire", async () => {
      const answer = await this.store.acquire(request)
      if (answer.kind === "granted") {
        const all = this.holders.get(request.name) ?? new Set()
        this.holders.set(request.name, all.add(request.holder))
      }
      return answer
    })
  }

  renew(request: Promises.LeaseRenewRequest): Promise<boolean> {
    return this.ask("renew", () => this.store.renew(request))
  }

  release(request: Promises.LeaseHolder): Promise<Promises.LeaseReleased> {
    return this.ask("release", () => {
      this.holders.get(request.name)?.delete(request.holder)
      return this.store.release(request)
    })
  }

  async watch(name: string, onFreed: () => void): Promise<() => void> {
    const stop = await this.ask("watch", () => this.store.watch(name, onFreed))
    this.watching++
    let isOver = false
    return () => {
      if (!isOver) this.watching--
      isOver = true
      stop()
    }
  }

  /** What is held is given back behind the backs of those who hold it. */
  async forget(name: string): Promise<void> {
    for (const [key, holders] of this.holders) {
      if (key !== name && !key.endsWith(`:${name}`)) continue
      for (const holder of holders) await this.store.release({ name: key, holder })
    }
  }

  count(operation: string): number {
    return this.log.filter((each) => each === operation).length
  }
}

/** Waits until something is so, in real time. */
export const until = async (what: string, holds: () => boolean, milliseconds = 3000): Promise<void> => {
  const end = performance.now() + milliseconds
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not in ${milliseconds} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
