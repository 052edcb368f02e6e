/**
 * A queue that several programs share: items from those who produce them to those who work on them, on any machine, each at least once.
 *
 * An item that was taken is leased, not gone. Whoever has it renews the lease while he works, and says how it ended: acknowledged, the item
 * is done; rejected, it comes back after a while, and after too many attempts it is put aside as a dead letter. When he dies, the lease
 * ends and the item comes back by itself.
 *
 * *At least once* is what such a queue can promise, and not more. A consumer can do its work and die before it can say so; it can be paused
 * for longer than its lease and go on, while somebody else has the item. So a handler has to be one that may run twice for an item: it
 * finds out by the item's `id` that the work is done, or it lets the resource compare the `token` of the delivery, which grows with each
 * one.
 *
 * It corresponds to no part of asyncio: `asyncio.Queue` is for one event loop, and so is `WorkQueue`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { callable, expect, integer, record, refusal } from "../core/arguments.js"
import type * as backoff from "../core/backoff.js"
import * as core from "../core/deliveries.js"
import type { Deliverer } from "../core/deliverer.js"
import type { Held } from "../core/deliveryLine.js"
import { LeaseLost } from "../core/lease.js"
import { StoreError } from "../core/storeError.js"
import * as deliverer from "../internal/deliverer.js"
import { milliseconds } from "../internal/duration.js"
import { type DurationInput, runnable } from "../internal/effect.js"
import * as service from "../internal/service.js"
import { DeliveryStore, type DeliveryStoreShape } from "./DeliveryStore.js"

export {
  /**
   * A delivery is not yours any more, although it was not settled. `reason` says why.
   *
   * @since 0.1.0
   * @category errors
   */
  LeaseLost,
  /**
   * The store could not do what it was asked: `reason` says why.
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
 * When a rejected item comes back. Durations are as in `Retry`: the first pause is `base` (default 1 second), each is `factor` times the
 * one before (default 2), none is longer than `cap` (default 30 seconds), and `jitter` spreads them (default `"full"`).
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryOptions {
  readonly base?: DurationInput | undefined
  readonly factor?: number | undefined
  readonly cap?: DurationInput | undefined
  readonly jitter?: backoff.Jitter | undefined
}

/**
 * How a queue is used. The name says which queue it is; all else is about this user of it, and those who consume the same queue should
 * agree on it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Which queue. Whoever uses the same name, on the same store, uses the same queue. */
  readonly name: string
  /**
   * How long one lease of an item lasts: from 100 ms to a day. It is renewed every third of that while the item is worked on. So this is
   * not a limit for the work, but how long an item waits whose consumer has died; and how long the store may be out of reach before a
   * consumer loses its items. Default: 30 seconds.
   */
  readonly lease?: DurationInput | undefined
  /** After so many failed attempts an item is a dead letter: an integer, 1 or more. A lease that ended is one, too. Default: 5. */
  readonly attempts?: number | undefined
  /** When an item comes back whose attempt has failed. */
  readonly retry?: RetryOptions | undefined
  /**
   * The longest time between two questions while somebody waits, should the store's message that there is something be lost: from 10 ms.
   * Each time it is a little less, at random. Default: 1 second.
   */
  readonly poll?: DurationInput | undefined
  /**
   * For how long the id of an item is known after it is done, if it was given one: it is not taken in again until then. 0: not at all.
   * Default: a day. (An id that the queue made itself is never offered again.)
   */
  readonly remember?: DurationInput | undefined
}

/**
 * How an item is offered.
 *
 * @since 0.1.0
 * @category models
 */
export interface OfferOptions {
  /**
   * The id of the item: 1 to 512 characters. With one, an offer can be repeated: an item is put in once, however often it is offered.
   * Default: a random one.
   */
  readonly id?: string | undefined
}

/**
 * What came of an offer.
 *
 * @since 0.1.0
 * @category models
 */
export interface Offered {
  readonly id: string
  /** False: an item with this id is in the queue, or was done a short time ago. */
  readonly isNew: boolean
}

/**
 * What a handler knows of the item that it was given.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeliveryInfo {
  /** The id of the item. It is the same in each attempt. */
  readonly id: string
  /** 1 for the first attempt. (An attempt that was interrupted is none.) */
  readonly attempt: number
  /** A fencing token: each delivery of the queue has a larger one than those before. */
  readonly token: number
}

/**
 * An item that was taken, for the rest of a scope.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery<out A> extends DeliveryInfo {
  readonly item: A
  /** The item is done. Fails with `LeaseLost` when somebody else may have it by now: then the store was told nothing. */
  readonly acknowledge: Effect.Effect<void, LeaseLost | StoreError>
  /**
   * The attempt has failed: the item comes back after a delay (default: as `retry` says), or is a dead letter if this was the last attempt.
   */
  readonly reject: (options?: RejectOptions) => Effect.Effect<void, LeaseLost | StoreError>
  /** The item goes back to its place at once, as if it had not been taken. */
  readonly giveBack: Effect.Effect<void, LeaseLost | StoreError>
  /** Fails when the delivery is lost; it never ends otherwise. For a race with the work. */
  readonly lost: Effect.Effect<never, LeaseLost>
  /** Fails if the delivery is lost. */
  readonly check: Effect.Effect<void, LeaseLost>
}

/**
 * How an attempt has failed.
 *
 * @since 0.1.0
 * @category models
 */
export interface RejectOptions {
  /** Why: it is told should the item become a dead letter. */
  readonly reason?: string | undefined
  /** When the item comes back. */
  readonly delay?: DurationInput | undefined
}

/**
 * How a queue is consumed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumeOptions {
  /** How many items are worked on at a time: an integer, 1 or more. Default 1. */
  readonly concurrency?: number | undefined
}

/**
 * How many items a queue has, by what they are.
 *
 * @since 0.1.0
 * @category models
 */
export interface Counts extends core.Counts {}

/**
 * An item that is not delivered any more.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeadLetter<out A> extends core.DeadLetter {
  /** The item, if it can be decoded. */
  readonly item: Option.Option<A>
}

/**
 * What can be done with dead letters. They are kept until somebody does one of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface DeadLetters<out A> {
  /** The oldest of them, at most so many. Default 100. */
  readonly list: (options?: {
    readonly limit?: number | undefined
  }) => Effect.Effect<ReadonlyArray<DeadLetter<A>>, StoreError>
  /** Has them delivered again, with all their attempts: those of some ids, or all that there are now. Says how many. */
  readonly requeue: (ids?: Iterable<string>) => Effect.Effect<number, StoreError>
  /** Forgets them: those of some ids, or all that there are now. Says how many. */
  readonly purge: (ids?: Iterable<string>) => Effect.Effect<number, StoreError>
}

/**
 * A frozen snapshot of this process.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats {
  /** How many wait for an item here. */
  readonly waiting: number
  /** How many items are held here. */
  readonly held: number
  /** How many are settled, and the store has not said that it knows. */
  readonly settling: number
}

/** @internal */
export interface Internals<in out A> {
  readonly deliverer: Deliverer
  readonly store: DeliveryStoreShape
  /** For plain code. */
  readonly encode: (item: A) => Promise<string>
  readonly decode: (payload: string) => Promise<A>
  readonly call: <B>(ask: (store: DeliveryStoreShape) => Effect.Effect<B, StoreError>) => Promise<B>
}

/**
 * A queue that several programs share.
 *
 * **When to use**: for work that must not be lost when a process dies, or that several machines share. `consume` is the usual way to take.
 * Within one process, `WorkQueue` does more for less.
 *
 * **Details**: items are delivered at least once; see the module for what follows from that. An offer is in when it has succeeded. A failed
 * or interrupted one may be in: with an `id` it can be repeated. `consume` leases no more items than it works on, renews the leases, and
 * settles each item by how its handler ended; settling the last and taking the next is one round trip. A handler whose lease is lost is
 * interrupted, and that is reported; so is each item that becomes a dead letter. While the store cannot be reached, `consume` waits until
 * it can, and reports that once; everything else fails with `StoreError`. An item that cannot be decoded is a dead letter at once. `join`
 * waits until nothing is ready, delayed or leased; dead letters do not count.
 *
 * **Interruption**: an interrupted `consume` hands back at once what is not done, without counting the attempt; it waits for the cleanup of
 * its handlers, and until the store has heard of everything. An interrupted `take` loses nothing: what was given to it goes back.
 *
 * **Fairness**: first deliveries are in the order of the offers, over all programs. What comes back has its old place, before all that was
 * offered later. Who waits in this process is served in order of arrival. Between processes the store decides.
 *
 * @example
 * import { DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
 * import { Effect, Fiber, Schema } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const mails = yield* DistributedQueue.make({ name: "mails", schema: Schema.Struct({ to: Schema.String }) })
 *   const sent: Array<string> = []
 *   const worker = yield* Effect.fork(mails.consume(({ to }) => Effect.sync(() => sent.push(to)), { concurrency: 2 }))
 *   yield* mails.offerAll([{ to: "ada" }, { to: "grace" }])
 *   yield* mails.join
 *   yield* Fiber.interrupt(worker)
 *   return sent.join(", ")
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(DeliveryStore.layerMemory)))) // => ada, grace
 *
 * @since 0.1.0
 * @category models
 */
export interface DistributedQueue<in out A> {
  readonly [TypeId]: Internals<A>

  /** Puts an item in. */
  readonly offer: (item: A, options?: OfferOptions) => Effect.Effect<Offered, StoreError>

  /** Puts items in, in order; 500 and fewer without others between them. Gives their ids. */
  readonly offerAll: (items: Iterable<A>) => Effect.Effect<ReadonlyArray<string>, StoreError>

  /**
   * Takes an item for the rest of the scope; waits for one. What is neither acknowledged nor rejected when the scope closes goes back: at
   * once, or, when the scope closes with a failure, as rejected.
   */
  readonly take: Effect.Effect<Delivery<A>, StoreError, Scope.Scope>

  /**
   * Works items off until it is interrupted: from outside, or by a handler that interrupts itself. A handler that succeeds has done its item; one that fails has failed an attempt. Fails only
   * when the store answers what makes no sense.
   */
  readonly consume: <X, E, R>(
    handler: (item: A, delivery: DeliveryInfo) => Effect.Effect<X, E, R>,
    options?: ConsumeOptions
  ) => Effect.Effect<never, StoreError, R>

  /** Waits until nothing is left to be done, by anybody. */
  readonly join: Effect.Effect<void, StoreError>

  /** How many items there are. */
  readonly size: Effect.Effect<Counts, StoreError>

  /** What was put aside. */
  readonly deadLetters: DeadLetters<A>

  /** A frozen snapshot of this process. */
  readonly stats: Effect.Effect<Stats>
}

/** As many as fit one question. */
const batch = 500

class DistributedQueueImpl<in out A> implements DistributedQueue<A> {
  readonly [TypeId]: Internals<A>
  readonly take: DistributedQueue<A>["take"]
  readonly join: DistributedQueue<A>["join"]
  readonly size: DistributedQueue<A>["size"]
  readonly stats: DistributedQueue<A>["stats"]
  readonly deadLetters: DeadLetters<A>

  constructor(
    internals: Internals<A>,
    private readonly codec: deliverer.Codec<A>
  ) {
    const { deliverer: line, store } = (this[TypeId] = internals)
    const { name } = line.settings
    this.take = deliverer.take(line, codec, (held, item) => deliveryOf(line, held, item))
    this.join = deliverer.join(line)
    this.size = Effect.suspend(() => store.counts(name))
    this.stats = Effect.sync(() => {
      const { held, settling, waiting } = line.stats()
      return Object.freeze({ waiting, held, settling })
    })
    this.deadLetters = {
      list: ({ limit = 100 } = {}) =>
        Effect.suspend(() => {
          integer("DistributedQueue.deadLetters.list", "limit", limit, 1)
          return Effect.flatMap(store.deadLetters(name, limit), (letters) =>
            Effect.forEach(letters, (letter) =>
              Effect.map(Effect.option(codec.decode(letter.payload)), (item) => Object.freeze({ ...letter, item }))
            )
          )
        }),
      requeue: (ids) => Effect.suspend(() => store.requeue({ name, ids: idsOf("requeue", ids) })),
      purge: (ids) => Effect.suspend(() => store.purge({ name, ids: idsOf("purge", ids) }))
    }
  }

  readonly offer = (item: A, { id }: OfferOptions = {}): Effect.Effect<Offered, StoreError> =>
    Effect.suspend(() => {
      if (id !== undefined) core.checkId("DistributedQueue.offer", id)
      return Effect.flatMap(this.newItem(item, id), (one) =>
        Effect.map(this.put([one]), ([isNew]) => ({ id: one.id, isNew: isNew! }))
      )
    })

  readonly offerAll = (items: Iterable<A>): Effect.Effect<ReadonlyArray<string>, StoreError> =>
    Effect.suspend(() => {
      const where = "DistributedQueue.offerAll"
      expect(typeof items?.[Symbol.iterator] === "function", where, "items", "an iterable", items)
      return Effect.flatMap(
        Effect.forEach(items, (item) => this.newItem(item, undefined)),
        (all) => {
          const batches = Array.from({ length: Math.ceil(all.length / batch) }, (_, i) =>
            all.slice(i * batch, (i + 1) * batch)
          )
          return Effect.as(
            Effect.forEach(batches, (items) => this.put(items), { discard: true }),
            all.map(({ id }) => id)
          )
        }
      )
    })

  readonly consume = <X, E, R>(
    handler: (item: A, delivery: DeliveryInfo) => Effect.Effect<X, E, R>,
    options: ConsumeOptions = {}
  ): Effect.Effect<never, StoreError, R> =>
    Effect.suspend(() => {
      const where = "DistributedQueue.consume"
      callable(where, "handler", handler)
      const { concurrency = 1 } = record(where, options)
      integer(where, "concurrency", concurrency, 1)
      return deliverer.consume(this[TypeId].deliverer, this.codec, concurrency, (held, item) =>
        handler(item, infoOf(held))
      )
    })

  private newItem(item: A, id: string | undefined): Effect.Effect<core.NewItem> {
    return Effect.map(this.codec.encode(item), (payload) => ({
      id: id ?? this[TypeId].deliverer.port.unique(),
      payload,
      named: id !== undefined
    }))
  }

  private put(items: ReadonlyArray<core.NewItem>): Effect.Effect<ReadonlyArray<boolean>, StoreError> {
    const { deliverer, store } = this[TypeId]
    return store.offer({ name: deliverer.settings.name, items })
  }
}

const idsOf = (operation: string, ids: Iterable<string> | undefined): ReadonlyArray<string> | undefined => {
  const where = `DistributedQueue.deadLetters.${operation}`
  if (ids === undefined) return undefined
  expect(
    typeof ids !== "string" && typeof ids?.[Symbol.iterator] === "function",
    where,
    "ids",
    "an iterable of ids",
    ids
  )
  return Array.from(ids, (id) => core.checkId(where, id))
}

const infoOf = ({ given: { attempt, id, token } }: Held): DeliveryInfo => ({ id, attempt, token })

const deliveryOf = <A>(line: Deliverer, held: Held, item: A): Delivery<A> => ({
  ...infoOf(held),
  item,
  acknowledge: deliverer.settle(line, held, { kind: "acknowledge" }),
  reject: (options = {}) =>
    Effect.suspend(() => {
      const where = "DistributedQueue.reject"
      const { delay, reason } = record(where, options)
      const wait = delay === undefined ? undefined : milliseconds(where, "delay", delay)
      return deliverer.reject(line, held, where, { reason, delay: wait })
    }),
  giveBack: deliverer.settle(line, held, { kind: "return" }),
  lost: deliverer.lost(line, held),
  check: deliverer.checked(line, held)
})

const settingsOf = (where: string, options: Options): core.Settings => {
  const { attempts, lease, name, poll, remember, retry = {} } = record(where, options)
  const time = (what: string, input: DurationInput | undefined): number | undefined =>
    input === undefined ? undefined : milliseconds(where, what, input)
  const { base, cap, ...rest } = record(where, retry)
  return core.settings(where, {
    name,
    attempts,
    lease: time("lease", lease),
    poll: time("poll", poll),
    remember: time("remember", remember),
    // What is not given has a default there.
    retry: {
      ...rest,
      ...(base === undefined ? {} : { base: time("base", base) }),
      ...(cap === undefined ? {} : { cap: time("cap", cap) })
    }
  })
}

/** What has no JSON text is refused when it is offered. */
const toText = (item: unknown): string => core.checkPayload("DistributedQueue.offer", JSON.stringify(item))

const plain: deliverer.Codec<any> = {
  encode: (item) => Effect.sync(() => toText(item)),
  decode: deliverer.parse
}

const codecOf = <A, I>(schema: Schema.Schema<A, I>): deliverer.Codec<A> => {
  const encode = Schema.encode(schema)
  const decode = Schema.decodeUnknown(schema)
  return {
    encode: (item) =>
      Effect.matchEffect(encode(item), {
        // The type says that it is one: that it is none is the caller's mistake.
        onFailure: (error) =>
          Effect.die(refusal("DistributedQueue.offer", "item", `of the schema: ${error.message}`, item)),
        onSuccess: (value) => Effect.sync(() => toText(value))
      }),
    decode: (payload) =>
      Effect.flatMap(deliverer.parse(payload), (value) => Effect.mapError(decode(value), ({ message }) => message))
  }
}

/**
 * Makes a queue, on the {@link DeliveryStore} that is there. What is in it is in the store: this neither creates nor empties anything.
 *
 * **Details**: with a `schema`, items are encoded with it, and then as JSON; an item that the schema refuses is a defect of the offer.
 * Without one, items are whatever JSON can hold.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, I>(
    options: Options & { readonly schema: Schema.Schema<A, I> }
  ): Effect.Effect<DistributedQueue<A>, never, DeliveryStore>
  (options: Options): Effect.Effect<DistributedQueue<unknown>, never, DeliveryStore>
} = (
  options: Options & { readonly schema?: Schema.Schema<any, any> | undefined }
): Effect.Effect<DistributedQueue<any>, never, DeliveryStore> =>
  Effect.flatMap(DeliveryStore, (store) => over(store, options))

/**
 * The same on a store that is handed over.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeWith = <A = unknown, I = A>(
  store: DeliveryStoreShape,
  options: Options & { readonly schema?: Schema.Schema<A, I> | undefined }
): Effect.Effect<DistributedQueue<A>> => over(store, options)

const over = <A>(
  store: DeliveryStoreShape,
  options: Options & { readonly schema?: Schema.Schema<A, any> | undefined }
): Effect.Effect<DistributedQueue<A>> =>
  Effect.suspend(() => {
    const where = "DistributedQueue.make"
    const settings = settingsOf(where, options)
    const { schema } = options
    if (schema !== undefined) expect(Schema.isSchema(schema), where, "schema", "a schema", schema)
    const codec: deliverer.Codec<A> = schema === undefined ? plain : codecOf(schema)
    const promised = <B>(effect: Effect.Effect<B, unknown>): Promise<B> => runnable(effect)()
    return Effect.map(deliverer.make("DistributedQueue", store, settings), (line) => {
      return new DistributedQueueImpl<A>(
        {
          deliverer: line,
          store,
          encode: (item) => promised(codec.encode(item)),
          decode: (payload) => promised(codec.decode(payload)),
          call: (ask) => promised(Effect.suspend(() => ask(store)))
        },
        codec
      )
    })
  })

/**
 * A service class: a tag, its layer, and the operations of a `DistributedQueue` on whichever queue is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, A, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  DistributedQueue<A>,
  E,
  R | DeliveryStore
> {
  readonly offer: (item: A, options?: OfferOptions) => Effect.Effect<Offered, StoreError, Self>
  readonly offerAll: (items: Iterable<A>) => Effect.Effect<ReadonlyArray<string>, StoreError, Self>
  readonly take: Effect.Effect<Delivery<A>, StoreError, Self | Scope.Scope>
  readonly consume: <X, E1, R1>(
    handler: (item: A, delivery: DeliveryInfo) => Effect.Effect<X, E1, R1>,
    options?: ConsumeOptions
  ) => Effect.Effect<never, StoreError, R1 | Self>
  readonly join: Effect.Effect<void, StoreError, Self>
  readonly size: Effect.Effect<Counts, StoreError, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A queue as a service. The options may also be an effect that finds them out when the layer is built. The layer needs a {@link
 * DeliveryStore}: that is what changes when the program outgrows one machine.
 *
 * @example
 * import { DeliveryStore, DistributedQueue } from "effect-concurrency/distributed"
 * import { Effect, Layer, Schema } from "effect"
 *
 * class Jobs extends DistributedQueue.Service<Jobs>()("app/Jobs", { name: "jobs", schema: Schema.Number }) {}
 *
 * const program = Effect.scoped(
 *   Effect.gen(function* () {
 *     yield* Jobs.offer(42)
 *     const { acknowledge, item } = yield* Jobs.take
 *     yield* acknowledge
 *     return item
 *   })
 * )
 * const layer = Layer.provide(Jobs.layer, DeliveryStore.layerMemory)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(layer)))) // => 42
 *
 * @since 0.1.0
 * @category services
 */
export const Service: <Self>() => {
  <const Id extends string, A, I, E = never, R = never>(
    id: Id,
    options: service.Options<Options & { readonly schema: Schema.Schema<A, I> }, E, R>
  ): ServiceClass<Self, Id, A, E, R>
  <const Id extends string, E = never, R = never>(
    id: Id,
    options: service.Options<Options, E, R>
  ): ServiceClass<Self, Id, unknown, E, R>
} = () => (id: string, options: service.Options<any, unknown, unknown>) =>
  service.make<any>(
    id,
    Effect.flatMap(service.options(options), (options) => make(options as any)),
    {
      properties: ["take", "join", "size", "stats"],
      methods: ["offer", "offerAll", "consume"]
    }
  )
