/**
 * The skins under test. A law is written once, against these drivers, and holds for fibers, for promises, and for both in one wait list:
 * `mixed` hands every other call to the other skin, on one and the same instance.
 */
import { Cause, Effect, Exit, type Fiber, Option } from "effect"
import * as Effects from "effect-concurrency"
import * as Promises from "effect-concurrency/promise"

/** One call that may wait. */
export interface Attempt<A> {
  /** `waiting`, `done`, `failed`, or `cancelled` (interrupted, or rejected with the reason of `cancel`). */
  readonly state: "waiting" | "done" | "failed" | "cancelled"
  /** The value of a call that is done. Throws otherwise. */
  readonly value: A
  /** The error or defect of a call that failed. Throws otherwise. */
  readonly error: unknown
  /** Interrupts the fiber, or aborts the wait. Does not wait for the end. */
  cancel(): void
}

/** Lets everything that can run do so: fibers, promise reactions, and what they start. */
export const settle = async (): Promise<void> => {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve))
}

const fromFiber = <A>(fiber: Fiber.RuntimeFiber<A, unknown>): Attempt<A> => {
  const exit = () => fiber.unsafePoll() ?? undefined
  return {
    get state() {
      const end = exit()
      if (end === undefined) return "waiting"
      if (Exit.isSuccess(end)) return "done"
      return Exit.isInterrupted(end) ? "cancelled" : "failed"
    },
    get value() {
      const end = exit()
      if (end === undefined || !Exit.isSuccess(end)) throw new Error(`no value: ${this.state}`)
      return end.value
    },
    get error() {
      const end = exit()
      if (end === undefined || !Exit.isFailure(end)) throw new Error(`no error: ${this.state}`)
      return Cause.squash(end.cause)
    },
    cancel: () => fiber.unsafeInterruptAsFork(fiber.id())
  }
}

/** Runs an effect as an attempt. It runs at once, up to where it first waits. */
export const fork = <A>(effect: Effect.Effect<A, unknown>): Attempt<A> => fromFiber(Effect.runFork(effect))

/** Runs an abortable call as an attempt. */
export const start = <A>(call: (options: { signal: AbortSignal }) => Promise<A>): Attempt<A> => {
  const controller = new AbortController()
  const reason = new Error("cancelled by the test")
  let state: Attempt<A>["state"] = "waiting"
  let value: A | undefined
  let error: unknown
  call({ signal: controller.signal }).then(
    (result) => {
      state = "done"
      value = result
    },
    (thrown) => {
      state = thrown === reason ? "cancelled" : "failed"
      error = thrown
    }
  )
  return {
    get state() {
      return state
    },
    get value() {
      if (state !== "done") throw new Error(`no value: ${state}`)
      return value as A
    },
    get error() {
      if (state !== "failed") throw new Error(`no error: ${state}`)
      return error
    },
    cancel: () => controller.abort(reason)
  }
}

/** One skin's way to each primitive. All operations on one driver act on one instance. */
export interface Skin {
  readonly name: "effect" | "promise" | "mixed"
  /** How a refusal names what makes an instance. */
  readonly maker: (module: string) => string
  semaphore(options: number | Effects.Semaphore.Options): SemaphoreDriver
  mutex(): MutexDriver
  guarded<A>(initial: A): GuardedDriver<A>
  event(): EventDriver
  condition(): ConditionDriver
  barrier(
    parties: number,
    options?: { readonly action?: () => void; readonly onInterrupt?: "withdraw" | "break" }
  ): BarrierDriver
  workQueue<A>(options?: Effects.WorkQueue.Options<A>): WorkQueueDriver<A>
}

export interface SemaphoreDriver {
  take(permits: number, options?: { readonly priority?: number }): Attempt<number>
  /** Holds permits around a body; the body ends when `finish` of the returned gate is called. */
  hold(permits: number, body: () => Promise<void>, options?: { readonly priority?: number }): Attempt<void>
  tryTake(permits: number): boolean
  release(permits: number): number
  releaseAll(): number
  resize(permits: number): void
  stats(): Effects.Semaphore.Stats
}

export interface MutexDriver {
  hold(body: () => Promise<void>, options?: { readonly priority?: number }): Attempt<void>
  holdIfAvailable(body: () => Promise<void>): Attempt<boolean>
  isLocked(): boolean
  stats(): Effects.Mutex.Stats
}

export interface GuardedDriver<A> {
  get(): A
  update(f: (value: A) => Promise<A>): Attempt<void>
  modify<B>(f: (value: A) => Promise<readonly [B, A]>): Attempt<B>
  stats(): Effects.Guarded.Stats
}

export interface EventDriver {
  wait(): Attempt<void>
  set(): void
  clear(): void
  pulse(): void
  isSet(): boolean
  stats(): Effects.Event.Stats
}

export interface ConditionDriver {
  /** Takes the steps one after the other with the lock held, then `ensuring`, however they ended, still with the lock held. */
  withLock(steps: ReadonlyArray<ConditionStep>, ensuring?: () => void): Attempt<void>
  /** Outside the lock, where it is refused. */
  notify(n?: number): void
  /** Outside the lock, where it is refused. */
  wait(): Attempt<void>
  stats(): Effects.Condition.Stats
}

export type ConditionStep =
  | "wait"
  | "notifyAll"
  | { readonly waitFor: () => boolean }
  | { readonly notify: number }
  | (() => void | Promise<void>)

export interface BarrierDriver {
  wait(): Attempt<number>
  reset(): void
  abort(): void
  isBroken(): boolean
  stats(): Effects.Barrier.Stats
}

export interface WorkQueueDriver<A> {
  offer(item: A): Attempt<boolean>
  offerAll(items: Iterable<A>): Attempt<Array<A>>
  tryOffer(item: A): boolean
  take(): Attempt<A>
  takeUpTo(n: number): Attempt<Array<A>>
  takeAll(): Attempt<Array<A>>
  tryTake(): A | undefined
  peek(): A | undefined
  end(): boolean
  fail(error: unknown): boolean
  shutdown(): Array<A>
  join(): Attempt<void>
  taskDone(): void
  consume(
    handler: (item: A) => Promise<void>,
    options?: { readonly concurrency?: number; readonly onFailure?: "fail" | "requeue" | "drop" }
  ): Attempt<void>
  stats(): Effects.WorkQueue.Stats
}

/** An async body as an effect that fails with what it throws. */
const attempt = <A>(body: () => Promise<A>): Effect.Effect<A, unknown> =>
  Effect.tryPromise({ try: body, catch: (error) => error })

/** Runs an effect that does not wait; throws its error or defect itself. */
const now = <A>(effect: Effect.Effect<A, unknown>): A => {
  const result = fork(effect)
  return result.state === "failed" ? raise(result.error) : result.value
}

const raise = (error: unknown): never => {
  throw error
}

export const effect: Skin = {
  name: "effect",
  maker: (module) => `${module}.make`,
  semaphore: (options) => effectSemaphore(now(Effects.Semaphore.make(options))),
  mutex: () => effectMutex(now(Effects.Mutex.make())),
  guarded: (initial) => effectGuarded(now(Effects.Guarded.make(initial))),
  event: () => effectEvent(now(Effects.Event.make())),
  condition: () => effectCondition(now(Effects.Condition.make())),
  barrier: (parties, options) => effectBarrier(now(Effects.Barrier.make(parties, barrierOptions(options)))),
  workQueue: <A>(options?: Effects.WorkQueue.Options<A>) =>
    effectWorkQueue(now(Effects.WorkQueue.make<A, unknown>(options)))
}

const barrierOptions = (options: Parameters<Skin["barrier"]>[1] = {}) => ({
  ...options,
  action: options.action && Effect.sync(options.action)
})

const effectSemaphore = (self: Effects.Semaphore.Semaphore): SemaphoreDriver => ({
  take: (permits, options) => fork(self.take(permits, options)),
  hold: (permits, body, options) => fork(self.withPermits(permits, options)(attempt(body))),
  tryTake: (permits) => now(self.tryTake(permits)),
  release: (permits) => now(self.release(permits)),
  releaseAll: () => now(self.releaseAll),
  resize: (permits) => now(self.resize(permits)),
  stats: () => now(self.stats)
})

const effectMutex = (self: Effects.Mutex.Mutex): MutexDriver => ({
  hold: (body, options) =>
    fork(
      options?.priority === undefined
        ? self.withLock(attempt(body))
        : self.withLockPriority(options.priority)(attempt(body))
    ),
  holdIfAvailable: (body) => fork(Effect.map(self.withLockIfAvailable(attempt(body)), Option.isSome)),
  isLocked: () => now(self.isLocked),
  stats: () => now(self.stats)
})

const effectGuarded = <A>(self: Effects.Guarded.Guarded<A>): GuardedDriver<A> => ({
  get: () => now(self.get),
  update: (f) => fork(self.updateEffect((value) => attempt(() => f(value)))),
  modify: (f) => fork(self.modifyEffect((value) => attempt(() => f(value)))),
  stats: () => now(self.stats)
})

const effectEvent = (self: Effects.Event.Event): EventDriver => ({
  wait: () => fork(self.wait),
  set: () => now(self.set),
  clear: () => now(self.clear),
  pulse: () => now(self.pulse),
  isSet: () => now(self.isSet),
  stats: () => now(self.stats)
})

const effectCondition = (self: Effects.Condition.Condition): ConditionDriver => {
  const step = (step: ConditionStep): Effect.Effect<void, unknown> => {
    if (step === "wait") return self.wait
    if (step === "notifyAll") return self.notifyAll
    if (typeof step === "function") return attempt(async () => step())
    return "notify" in step ? self.notify(step.notify) : self.waitFor(step.waitFor)
  }
  return {
    withLock: (steps, ensuring = () => {}) =>
      fork(self.withLock(Effect.ensuring(Effect.forEach(steps, step, { discard: true }), Effect.sync(ensuring)))),
    notify: (n) => now(self.notify(n)),
    wait: () => fork(self.wait),
    stats: () => now(self.stats)
  }
}

const effectBarrier = (self: Effects.Barrier.Barrier<unknown>): BarrierDriver => ({
  wait: () => fork(self.await),
  reset: () => now(self.reset),
  abort: () => now(self.abort),
  isBroken: () => now(self.isBroken),
  stats: () => now(self.stats)
})

const effectWorkQueue = <A>(self: Effects.WorkQueue.WorkQueue<A, unknown>): WorkQueueDriver<A> => ({
  offer: (item) => fork(self.offer(item)),
  offerAll: (items) => fork(self.offerAll(items)),
  tryOffer: (item) => now(self.tryOffer(item)),
  take: () => fork(self.take),
  takeUpTo: (n) => fork(self.takeUpTo(n)),
  takeAll: () => fork(self.takeAll),
  tryTake: () => Option.getOrUndefined(now(self.tryTake)),
  peek: () => Option.getOrUndefined(now(self.peek)),
  end: () => now(self.end),
  fail: (error) => now(self.fail(error)),
  shutdown: () => now(self.shutdown),
  join: () => fork(self.join),
  taskDone: () => now(self.taskDone),
  consume: (handler, options) => fork(self.consume((item) => attempt(() => handler(item)), options)),
  stats: () => now(self.stats)
})

export const promise: Skin = {
  name: "promise",
  maker: (module) => `new ${module}`,
  semaphore: (options) => promiseSemaphore(new Promises.Semaphore(options)),
  mutex: () => promiseMutex(new Promises.Mutex()),
  guarded: (initial) => promiseGuarded(new Promises.Guarded(initial)),
  event: () => promiseEvent(new Promises.Event()),
  condition: () => promiseCondition(new Promises.Condition()),
  barrier: (parties, options) => promiseBarrier(new Promises.Barrier(parties, options)),
  workQueue: <A>(options?: Effects.WorkQueue.Options<A>) => promiseWorkQueue(new Promises.WorkQueue<A>(options))
}

const promiseSemaphore = (self: Promises.Semaphore): SemaphoreDriver => ({
  take: (permits, options) => start((wait) => self.take(permits, { ...wait, ...options })),
  hold: (permits, body, options) => start((wait) => self.run(body, { permits, ...wait, ...options })),
  tryTake: (permits) => self.tryTake(permits),
  release: (permits) => self.release(permits),
  releaseAll: () => self.releaseAll(),
  resize: (permits) => self.resize(permits),
  stats: () => self.stats()
})

const promiseMutex = (self: Promises.Mutex): MutexDriver => ({
  hold: (body, options) => start((wait) => self.run(body, { ...wait, ...options })),
  holdIfAvailable: (body) => start(async () => (await self.runIfAvailable(() => body().then(() => true))) === true),
  isLocked: () => self.isLocked,
  stats: () => self.stats()
})

const promiseGuarded = <A>(self: Promises.Guarded<A>): GuardedDriver<A> => ({
  get: () => self.get(),
  update: (f) => start((wait) => self.update(f, wait)),
  modify: (f) => start((wait) => self.modify(f, wait)),
  stats: () => self.stats()
})

const promiseEvent = (self: Promises.Event): EventDriver => ({
  wait: () => start((wait) => self.wait(wait)),
  set: () => self.set(),
  clear: () => self.clear(),
  pulse: () => self.pulse(),
  isSet: () => self.isSet,
  stats: () => self.stats()
})

const promiseCondition = (self: Promises.Condition): ConditionDriver => {
  const take = async (step: ConditionStep, wait: Promises.WaitOptions): Promise<void> => {
    if (step === "wait") await self.wait(wait)
    else if (step === "notifyAll") self.notifyAll()
    else if (typeof step === "function") await step()
    else if ("notify" in step) self.notify(step.notify)
    else await self.waitFor(step.waitFor, wait)
  }
  return {
    withLock: (steps, ensuring) =>
      start((wait) =>
        self.run(async () => {
          try {
            for (const step of steps) await take(step, wait)
          } finally {
            ensuring?.()
          }
        }, wait)
      ),
    notify: (n) => self.notify(n),
    wait: () => start((wait) => self.wait(wait)),
    stats: () => self.stats()
  }
}

const promiseBarrier = (self: Promises.Barrier): BarrierDriver => ({
  wait: () => start((wait) => self.wait(wait)),
  reset: () => self.reset(),
  abort: () => self.abort(),
  isBroken: () => self.isBroken,
  stats: () => self.stats()
})

const promiseWorkQueue = <A>(self: Promises.WorkQueue<A>): WorkQueueDriver<A> => ({
  offer: (item) => start((wait) => self.offer(item, wait)),
  offerAll: (items) => start((wait) => self.offerAll(items, wait)),
  tryOffer: (item) => self.tryOffer(item),
  take: () => start((wait) => self.take(wait)),
  takeUpTo: (n) => start((wait) => self.takeUpTo(n, wait)),
  takeAll: () => start((wait) => self.takeAll(wait)),
  tryTake: () => self.tryTake(),
  peek: () => self.peek(),
  end: () => self.end(),
  fail: (error) => self.fail(error),
  shutdown: () => self.shutdown(),
  join: () => start((wait) => self.join(wait)),
  taskDone: () => self.taskDone(),
  consume: (handler, options) => start((wait) => self.consume(handler, { ...options, ...wait })),
  stats: () => self.stats()
})

/** Hands calls to two drivers of one instance in turn: the calls count, not how often somebody looks at a method. */
export const alternate = <Driver extends object>(first: Driver, second: Driver): Driver => {
  let turn = 0
  const call =
    (name: string) =>
    (...args: Array<unknown>) =>
      (turn++ % 2 === 0 ? first : (second as any))[name](...args)
  return Object.fromEntries(Object.keys(first).map((name) => [name, call(name)])) as Driver
}

export const mixed: Skin = {
  name: "mixed",
  maker: effect.maker,
  semaphore: (options) => {
    const self = now(Effects.Semaphore.make(options))
    return alternate(effectSemaphore(self), promiseSemaphore(Promises.Semaphore.from(self)))
  },
  mutex: () => {
    const self = now(Effects.Mutex.make())
    return alternate(effectMutex(self), promiseMutex(Promises.Mutex.from(self)))
  },
  guarded: (initial) => {
    const self = now(Effects.Guarded.make(initial))
    return alternate(effectGuarded(self), promiseGuarded(Promises.Guarded.from(self)))
  },
  event: () => {
    const self = now(Effects.Event.make())
    return alternate(effectEvent(self), promiseEvent(Promises.Event.from(self)))
  },
  condition: () => {
    const self = now(Effects.Condition.make())
    return alternate(effectCondition(self), promiseCondition(Promises.Condition.from(self)))
  },
  barrier: (parties, options) => {
    const self = now(Effects.Barrier.make(parties, barrierOptions(options)))
    return alternate(effectBarrier(self), promiseBarrier(Promises.Barrier.from(self)))
  },
  workQueue: <A>(options?: Effects.WorkQueue.Options<A>) => {
    const self = now(Effects.WorkQueue.make<A, unknown>(options))
    return alternate(effectWorkQueue(self), promiseWorkQueue(Promises.WorkQueue.from(self)))
  }
}

export const skins: ReadonlyArray<Skin> = [effect, promise, mixed]
