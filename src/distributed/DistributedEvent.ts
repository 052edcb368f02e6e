/**
 * An event for several machines: flags that effects wait for, wherever they run.
 *
 * `asyncio` has none. It is `Event`, with a name for each flag, and with what can happen on the way to a store: its operations can fail with
 * `StoreError`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as core from "../core/latches.js"
import { StoreError } from "../core/storeError.js"
import { milliseconds } from "../internal/duration.js"
import type { DurationInput } from "../internal/effect.js"
import * as latches from "../internal/latches.js"
import * as service from "../internal/service.js"
import { LatchStore, type LatchStoreShape } from "./LatchStore.js"

export {
  /**
   * The store could not be asked, or could not answer.
   *
   * @since 0.1.0
   * @category errors
   */
  StoreError
}

/**
 * @since 0.1.0
 * @category type ids
 */
export const TypeId: TypeId = core.TypeId

/**
 * @since 0.1.0
 * @category type ids
 */
export type TypeId = core.TypeId

/**
 * How often to ask while waiting, and what the names are put under.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * The longest time between two questions while somebody waits, should the store's message that a flag is set be lost: from 10 ms to a day. Each time
   * it is between three quarters and all of that, at random. Default: 1 second.
   */
  readonly poll?: DurationInput | undefined
  /** What the names of the instance are put under in the store. Default: `"event"`. */
  readonly prefix?: string | undefined
}

/**
 * How a flag is set.
 *
 * @since 0.1.0
 * @category models
 */
export interface SetOptions {
  /** After this time it is cleared by itself, by the store's clock. Default: it stays until it is cleared. */
  readonly timeToLive?: DurationInput | undefined
}

/**
 * A frozen snapshot of this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * Flags by name, each of which is set or not, for all processes that share a store; and those who wait for one to be set.
 *
 * **When to use**: to tell several processes that something has happened, when they need no value with it: a migration is done, a shutdown has begun.
 * Within one process, use `Event`.
 *
 * **Details**: what is promised:
 *
 * - Whoever waits is let go when the flag is set, or was set or pulsed since he began to wait: also if it was cleared at once. He began to wait when the
 *   store was first asked for him, which takes one round trip.
 * - No message need arrive for that. The store counts how often each flag was set, and whoever waits remembers the count. He asks, listens, asks again;
 *   then he asks whenever the store tells of a change, and every `poll` in any case.
 * - A question that fails is put once more, at once. If that fails, too, those who wait fail with `StoreError`; they can wait again, from then on.
 * - If the store loses its data, no flag is set any more. Those who wait go on waiting, until it is set again.
 *
 * A flag that is set stays, and so does what the store keeps of it, until it is cleared; so give those a time to live whose names are many. To set,
 * clear, pulse or ask costs one round trip. All who wait for one name in one instance cost what one costs. A name is a text of 1 to 1,000
 * characters.
 *
 * **Interruption**: a waiter that is interrupted leaves at once, and nobody else notices. An operation that is interrupted is not waited for, and is
 * done all the same.
 *
 * **Fairness**: waiters of one instance are woken in order of arrival; all are woken.
 *
 * @example
 * import { DistributedEvent, LatchStore } from "effect-concurrency/distributed"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const event = yield* DistributedEvent.make()
 *   const runner = yield* Effect.fork(Effect.as(event.wait("migrated"), "off they go"))
 *   yield* event.set("migrated", { timeToLive: "1 day" })
 *   return yield* Fiber.join(runner)
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(LatchStore.layerMemory)))) // => off they go
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedEvent<out E = StoreError> {
  readonly [TypeId]: core.Latches

  /** Waits until the flag of a name is set; with one that is set, takes one round trip. */
  readonly wait: (name: string) => Effect.Effect<void, E>

  /** Sets a flag and wakes all who wait. */
  readonly set: (name: string, options?: SetOptions) => Effect.Effect<void, E>

  /** Clears a flag. Who was let go stays so. */
  readonly clear: (name: string) => Effect.Effect<void, E>

  /** Wakes all who wait now, and leaves the flag as it is. */
  readonly pulse: (name: string) => Effect.Effect<void, E>

  /** Whether a flag is set. */
  readonly isSet: (name: string) => Effect.Effect<boolean, E>

  /** A frozen snapshot of this process. */
  readonly stats: Effect.Effect<Stats>
}

class DistributedEventImpl implements DistributedEvent<any> {
  readonly [TypeId]: core.Latches
  readonly stats: DistributedEvent["stats"]

  constructor(self: core.Latches) {
    this[TypeId] = self
    this.stats = Effect.sync(() => self.stats())
  }

  readonly wait = (name: string): Effect.Effect<void, any> => latches.wait(this[TypeId], "DistributedEvent.wait", name)

  readonly set = (name: string, { timeToLive }: SetOptions = {}): Effect.Effect<void, any> => {
    const where = "DistributedEvent.set"
    return latches.ask<void>(this[TypeId], where, name, (port, name, done, fail) => {
      const given = timeToLive === undefined ? undefined : milliseconds(where, "timeToLive", timeToLive)
      port.set({ name, timeToLive: core.checkTimeToLive(where, given) }, done, fail)
    })
  }

  readonly clear = (name: string): Effect.Effect<void, any> =>
    latches.ask<void>(this[TypeId], "DistributedEvent.clear", name, (port, name, done, fail) =>
      port.clear(name, done, fail)
    )

  readonly pulse = (name: string): Effect.Effect<void, any> =>
    latches.ask<void>(this[TypeId], "DistributedEvent.pulse", name, (port, name, done, fail) =>
      port.pulse(name, done, fail)
    )

  readonly isSet = (name: string): Effect.Effect<boolean, any> =>
    latches.ask<boolean>(this[TypeId], "DistributedEvent.isSet", name, (port, name, answer, fail) =>
      port.look(name, ({ isSet }) => answer(isSet), fail)
    )
}

/**
 * Makes flags over the {@link LatchStore}, or over a store that it is given, whose errors are then its own. Options that make no sense are a defect.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  (options?: Options): Effect.Effect<DistributedEvent, never, LatchStore>
  <E>(options: Options | undefined, store: LatchStoreShape<E>): Effect.Effect<DistributedEvent<E>>
} = (options: Options = {}, store?: LatchStoreShape<unknown>): any => {
  const where = "DistributedEvent.make"
  const over = (store: LatchStoreShape<unknown>) =>
    Effect.map(
      Effect.suspend(() => latches.make("DistributedEvent", store, core.config(where, coreOptions(where, options)))),
      (self) => new DistributedEventImpl(self)
    )
  return store === undefined ? Effect.flatMap(LatchStore, over) : over(store)
}

const coreOptions = (where: string, { poll, prefix }: Options): core.Options => ({
  poll: poll === undefined ? undefined : milliseconds(where, "poll", poll),
  prefix
})

/**
 * Waits until the flag of a name is set. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const wait = <E>(self: DistributedEvent<E>, name: string): Effect.Effect<void, E> => self.wait(name)

/**
 * Sets a flag and wakes all who wait. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const set = <E>(self: DistributedEvent<E>, name: string, options?: SetOptions): Effect.Effect<void, E> =>
  self.set(name, options)

/**
 * Clears a flag. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const clear = <E>(self: DistributedEvent<E>, name: string): Effect.Effect<void, E> => self.clear(name)

/**
 * Wakes all who wait now, and leaves the flag as it is. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const pulse = <E>(self: DistributedEvent<E>, name: string): Effect.Effect<void, E> => self.pulse(name)

/**
 * Whether a flag is set. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const isSet = <E>(self: DistributedEvent<E>, name: string): Effect.Effect<boolean, E> => self.isSet(name)

/**
 * A frozen snapshot of this process. See {@link DistributedEvent}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <E>(self: DistributedEvent<E>): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `DistributedEvent` on whichever is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  DistributedEvent,
  E,
  R | LatchStore
> {
  readonly wait: (name: string) => Effect.Effect<void, StoreError, Self>
  readonly set: (name: string, options?: SetOptions) => Effect.Effect<void, StoreError, Self>
  readonly clear: (name: string) => Effect.Effect<void, StoreError, Self>
  readonly pulse: (name: string) => Effect.Effect<void, StoreError, Self>
  readonly isSet: (name: string) => Effect.Effect<boolean, StoreError, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * Flags by name as a service. The layer needs a {@link LatchStore}: that is what changes when the program outgrows one machine.
 *
 * @example
 * import { DistributedEvent, LatchStore } from "effect-concurrency/distributed"
 * import { Effect, Layer } from "effect"
 *
 * class Signals extends DistributedEvent.Service<Signals>()("app/Signals") {}
 *
 * const program = Effect.zipRight(Signals.set("ready"), Signals.isSet("ready"))
 * const layer = Layer.provide(Signals.layer, LatchStore.layerMemory)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => true
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R> = {}
  ): ServiceClass<Self, Id, E, R> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(options)),
      { properties: ["stats"], methods: ["wait", "set", "clear", "pulse", "isSet"] }
    )
