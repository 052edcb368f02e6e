/**
 * A work queue: items from those who produce them to those who work on them, with a bound, an end, and an account of what is not done.
 *
 * It corresponds to `asyncio.Queue`, `LifoQueue` and `PriorityQueue` as of Python 3.13, with these differences. An item is handed to the
 * first taker at once, not announced to it: nobody overtakes. An order is stable, and is asked before anything changes, so one that
 * throws changes nothing. `taskDone` counts what was taken: it is refused while every unfinished item still is in the queue. A capacity
 * is an integer, and unbounded is `Infinity`, not 0. `tryTake` of an empty queue gives `None` rather than an error. An item that was
 * delivered before `shutdown` stays with its taker; should that be interrupted, a second `shutdown` gives it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { callable, integer, oneOf, record } from "./core/arguments.js"
import { QueueClosed, QueueFull } from "./core/errors.js"
import type { Node } from "./core/itemStore.js"
import { settle, wake } from "./core/ticket.js"
import * as core from "./core/workQueue.js"
import { failureOf } from "./internal/effect.js"
import { together } from "./internal/together.js"
import { deliver, deliverNow, FiberTicket, park } from "./internal/park.js"
import * as service from "./internal/service.js"

export {
  /**
   * The queue takes nothing more; or, for a taker, it has ended and is empty.
   *
   * @since 0.1.0
   * @category errors
   */
  QueueClosed,
  /**
   * A queue that refuses what does not fit has no room.
   *
   * @since 0.1.0
   * @category errors
   */
  QueueFull
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
 * How a queue is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<A> extends core.Options<A> {}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * What to do with an item whose handler failed: `"fail"`, the default, puts it back and ends the consumption with the error; `"requeue"`
 * puts it behind all others and goes on; `"drop"` counts it as done and goes on. A function chooses for each failure, and is the place to
 * report it; should it throw, the consumption ends with both errors. A defect or an interruption is always `"fail"`.
 *
 * @since 0.1.0
 * @category models
 */
export type OnFailure<A, E> = core.OnFailure | ((error: E, item: A) => core.OnFailure)

/**
 * How a queue is consumed.
 *
 * @since 0.1.0
 * @category models
 */
export interface ConsumeOptions<A, E> {
  /** How many items are worked on at a time: an integer, 1 or more. Default 1. */
  readonly concurrency?: number | undefined
  /** What to do with an item whose handler failed. Default `"fail"`. */
  readonly onFailure?: OnFailure<A, E> | undefined
}

/**
 * A queue of items.
 *
 * **When to use**: between those who find work and those who do it. `consume` is the usual way to take: it works off items, several
 * at a time if you like, and keeps account of what is done, so that `join` can wait for it.
 *
 * **Details**: `end` lets takers drain what is left, and then fails them with `QueueClosed`; `fail` does so with an error of yours;
 * `shutdown` empties the queue into your hands. Offers to a closed queue fail with `QueueClosed`, also those that wait for room.
 * `QueueFull` is in the types of a queue with the strategy `"reject"` only.
 *
 * **Interruption**: no item is lost. One that was delivered to a taker who was interrupted goes back to the head, and on to the next taker; one
 * whose handler was interrupted does too. An offer that is interrupted while it waits for room is not made; if its item got in
 * in the same tick it is taken back, unless it has been taken. `offerAll` leaves in what got in.
 *
 * **Fairness**: takers are served in order of arrival, and offers get in in order of arrival, whatever order their items are then
 * taken in. Nobody overtakes.
 *
 * @example
 * import { WorkQueue } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const queue = yield* WorkQueue.make<number>({ capacity: 2 })
 *   let sum = 0
 *   const worker = yield* Effect.fork(queue.consume((n) => Effect.sync(() => (sum += n)), { concurrency: 3 }))
 *   yield* queue.offerAll([1, 2, 3, 4, 5])
 *   yield* queue.join
 *   yield* queue.end
 *   yield* Fiber.join(worker)
 *   return sum
 * })
 *
 * console.log(await Effect.runPromise(program)) // => 15
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkQueue<in out A, in out E = never, out Full = never> {
  readonly [TypeId]: core.State<A> & { readonly _E?: (_: E) => E; readonly _Full?: () => Full }

  /** Puts an item in; waits for room if that is the strategy. Gives false when the item was dropped. */
  offer(item: A): Effect.Effect<boolean, QueueClosed | Full>

  /**
   * Puts items in, in order and without others between them; waits for room if that is the strategy. Gives those that were dropped. With
   * the strategy "reject", all go in or none.
   */
  offerAll(items: Iterable<A>): Effect.Effect<Array<A>, QueueClosed | Full>

  /** Puts an item in if that needs no wait; says whether it is in. */
  tryOffer(item: A): Effect.Effect<boolean, QueueClosed>

  /** Takes an item out; waits for one. */
  readonly take: Effect.Effect<A, QueueClosed | E>

  /** Takes up to n items out; waits for the first. */
  takeUpTo(n: number): Effect.Effect<Array<A>, QueueClosed | E>

  /** Takes all items out; waits for the first. */
  readonly takeAll: Effect.Effect<Array<A>, QueueClosed | E>

  /** Takes an item out if there is one. */
  readonly tryTake: Effect.Effect<Option.Option<A>, QueueClosed | E>

  /** The item that would be taken next. */
  readonly peek: Effect.Effect<Option.Option<A>>

  /** Closes the queue to offers; takers drain it. Says whether it was open. */
  readonly end: Effect.Effect<boolean>

  /** Closes the queue to offers; takers drain it and then fail with the error. Says whether it was open. */
  fail(error: E): Effect.Effect<boolean>

  /** Closes the queue and gives what was left in it. */
  readonly shutdown: Effect.Effect<Array<A>>

  /** Waits until every item that was offered is done. */
  readonly join: Effect.Effect<void>

  /** Says that one item that was taken is done. `consume` does so by itself. */
  readonly taskDone: Effect.Effect<void>

  /** Works items off until the queue has ended and is empty. */
  consume<X, E2, R>(
    handler: (item: A) => Effect.Effect<X, E2, R>,
    options?: ConsumeOptions<A, E2>
  ): Effect.Effect<void, E | E2, R>

  /** The items, one at a time, so that what the stream does not ask for stays in the queue. Says nothing of what is done. */
  readonly stream: Stream.Stream<A, E>

  /** How many items it holds. */
  readonly size: Effect.Effect<number>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

type TakeTicket<A> = FiberTicket<number, Array<Node<A>> | core.Closed>

class WorkQueueImpl<in out A, in out E> implements WorkQueue<A, E, QueueFull> {
  readonly [TypeId]: core.State<A>
  readonly take: WorkQueue<A, E>["take"]
  readonly takeAll: WorkQueue<A, E>["takeAll"]
  readonly tryTake: WorkQueue<A, E>["tryTake"]
  readonly peek: WorkQueue<A, E>["peek"]
  readonly end: WorkQueue<A, E>["end"]
  readonly shutdown: WorkQueue<A, E>["shutdown"]
  readonly join: WorkQueue<A, E>["join"]
  readonly taskDone: WorkQueue<A, E>["taskDone"]
  readonly stream: WorkQueue<A, E>["stream"]
  readonly size: WorkQueue<A, E>["size"]
  readonly stats: WorkQueue<A, E>["stats"]

  constructor(state: core.State<A>) {
    this[TypeId] = state
    const now = () => {
      const { item } = core.shift(state)!
      wake(core.match(state))
      return item
    }
    this.take = this.taking(1, now, ([node]) => node!.item)
    this.takeAll = this.takeMany(Infinity)
    this.tryTake = Effect.suspend(() =>
      core.available(state)
        ? deliverNow(
            () => core.available(state),
            () => Option.some(now()),
            () => this.tryTake
          )
        : (this.failure() ?? Effect.succeedNone)
    )
    this.peek = Effect.sync(() => Option.map(Option.fromNullable(state.store.first), (node) => node.item))
    this.end = Effect.sync(() => this.close())
    this.shutdown = Effect.sync(() => {
      const left: Array<A> = []
      this.close()
      wake(core.drain(state, left))
      return left
    })
    this.join = Effect.uninterruptibleMask((restore) => {
      if (state.unfinished === 0) return Effect.void
      const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "the work of a queue to be done")
      core.enqueueJoin(state, ticket)
      return park(
        restore,
        ticket,
        () => core.cancelJoin(state, ticket),
        () => Effect.void
      )
    })
    this.taskDone = Effect.sync(() => wake(core.finish("WorkQueue.taskDone", state)))
    this.stream = Stream.repeatEffectOption(
      Effect.mapError(this.take, (error) => (error instanceof QueueClosed ? Option.none() : Option.some(error)))
    )
    this.size = Effect.sync(() => state.store.size)
    this.stats = Effect.sync(() => core.stats(state))
  }

  readonly offer = (item: A): Effect.Effect<boolean, QueueClosed | QueueFull> => {
    const state = this[TypeId]
    return Effect.suspend((): Effect.Effect<boolean, QueueClosed | QueueFull> => {
      const admission = core.admission(state)
      if (admission === "wait") return this.enter([item], succeedTrue)
      if (admission === "refuse") return Effect.fail(new QueueFull(state.capacity))
      if (admission === "drop") core.drop(state)
      return this.offerNow(admission, item)
    })
  }

  readonly offerAll = (items: Iterable<A>): Effect.Effect<Array<A>, QueueClosed | QueueFull> => {
    const state = this[TypeId]
    return Effect.suspend((): Effect.Effect<Array<A>, QueueClosed | QueueFull> => {
      const all = core.checkItems("WorkQueue.offerAll", items)
      if (state.closed !== undefined) return Effect.fail(new QueueClosed())
      if (state.strategy === "reject" && all.length > core.room(state))
        return Effect.fail(new QueueFull(state.capacity))
      if (state.strategy === "suspend" && all.length > 0) return this.enter(all, Effect.succeed([]))
      const left: Array<A> = []
      wake(core.acceptAll(state, all, left))
      return Effect.succeed(left)
    })
  }

  readonly tryOffer = (item: A): Effect.Effect<boolean, QueueClosed> => {
    return Effect.suspend(() => this.offerNow(core.admission(this[TypeId]), item))
  }

  readonly takeUpTo = (n: number): Effect.Effect<Array<A>, QueueClosed | E> => {
    return Effect.suspend(() => this.takeMany(core.checkCount("WorkQueue.takeUpTo", n)))
  }

  readonly fail = (error: E): Effect.Effect<boolean> => {
    return Effect.sync(() => this.close({ error }))
  }

  readonly consume = <X, E2, R>(
    handler: (item: A) => Effect.Effect<X, E2, R>,
    options: ConsumeOptions<A, E2> = {}
  ): Effect.Effect<void, E | E2, R> => {
    return Effect.suspend(() => {
      callable("WorkQueue.consume", "handler", handler)
      const { concurrency = 1, onFailure = "fail" } = record("WorkQueue.consume", options)
      integer("WorkQueue.consume", "concurrency", concurrency, 1)
      if (typeof onFailure !== "function") oneOf("WorkQueue.consume", "onFailure", onFailure, core.onFailures)
      const consumption = { stopped: false }
      const choose = typeof onFailure === "function" ? onFailure : () => onFailure
      const next = this.consumeOne(handler, choose, consumption)
      const worker = Effect.suspend(() => {
        let more = true
        return Effect.whileLoop({ while: () => more, body: () => next, step: (taken) => (more = taken) })
      })
      const workers = concurrency === 1 ? worker : together(concurrency, worker)
      // Only when all have ended: the first that finds nothing left must not interrupt those that still work.
      return Effect.zipRight(
        workers,
        Effect.suspend(() => this.ended())
      )
    })
  }

  /** Puts an item in, if its admission lets it in at once. */
  private offerNow(admission: core.Admission, item: A): Effect.Effect<boolean, QueueClosed> {
    const state = this[TypeId]
    switch (admission) {
      case "accept":
        wake(core.accept(state, item))
        return succeedTrue
      case "slide":
        return Effect.succeed(core.slide(state, item))
      case "closed":
        return Effect.fail(new QueueClosed())
      default:
        return succeedFalse
    }
  }

  /** Works one item off; says whether there was one. Only the wait and the handler can be interrupted. */
  private consumeOne<X, E2, R>(
    handler: (item: A) => Effect.Effect<X, E2, R>,
    onFailure: (error: E2, item: A) => core.OnFailure,
    consumption: { stopped: boolean }
  ): Effect.Effect<boolean, E | E2, R> {
    const state = this[TypeId]
    return Effect.uninterruptibleMask((restore): Effect.Effect<boolean, E | E2, R> => {
      const work = (node: Node<A>) =>
        Effect.matchCauseEffect(restore(Effect.suspend(() => handler(node.item))), {
          onSuccess: () => {
            wake(core.finish("WorkQueue.consume", state))
            return succeedTrue
          },
          onFailure: (cause) => {
            const failure = failureOf(cause)
            const choose = () => (Option.isNone(failure) ? "fail" : onFailure(failure.value, node.item))
            return this.account(node, choose, Effect.failCause(cause), consumption)
          }
        })
      if (consumption.stopped) return succeedFalse
      if (core.available(state)) {
        const node = core.shift(state)!
        wake(core.match(state))
        return work(node)
      }
      if (state.closed !== undefined) return succeedFalse
      const ticket = this.enqueue(1)
      return park(
        restore,
        ticket,
        () => core.cancelTake(state, ticket),
        (result): Effect.Effect<boolean, E | E2, R> => {
          if (result === core.Closed) return succeedFalse
          if (!consumption.stopped) return work(result[0]!)
          wake(core.giveBack(state, result))
          return succeedFalse
        }
      )
    })
  }

  /** Does with an item whose handler failed what was chosen. A choice that throws fails beside the handler, and the item stays. */
  private account<E2>(
    node: Node<A>,
    choose: () => core.OnFailure,
    failure: Effect.Effect<never, E2>,
    consumption: { stopped: boolean }
  ): Effect.Effect<boolean, E2> {
    let choice: core.OnFailure = "fail"
    let result: Effect.Effect<boolean, E2> = failure
    try {
      choice = oneOf("WorkQueue.consume", "onFailure", choose(), core.onFailures)
      if (choice !== "fail") result = succeedTrue
    } catch (thrown) {
      result = Effect.ensuring(failure, Effect.die(thrown))
    }
    // The others stop before the item is back, or they would take it.
    if (choice === "fail") consumption.stopped = true
    wake(core.afterFailure("WorkQueue.consume", this[TypeId], node, choice))
    return result
  }

  /** Waits until all of the items are in. */
  private enter<B>(items: ReadonlyArray<A>, entered: Effect.Effect<B>): Effect.Effect<B, QueueClosed> {
    const state = this[TypeId]
    return Effect.uninterruptibleMask((restore) => {
      if (state.closed !== undefined) return Effect.fail(new QueueClosed())
      const ticket = new FiberTicket<core.Offer<A>, true | core.Closed | core.Thrown>(
        core.offer(items),
        0,
        "room in a queue"
      )
      wake(core.enqueueOffer(state, ticket))
      return park(
        restore,
        ticket,
        () => core.cancelOffer(state, ticket),
        (result) => {
          if (result === core.Closed) return Effect.fail(new QueueClosed())
          return result === true ? entered : Effect.die(result.error)
        }
      )
    })
  }

  private takeMany(n: number): Effect.Effect<Array<A>, QueueClosed | E> {
    const state = this[TypeId]
    return this.taking(
      n,
      () => {
        const nodes = core.take(state, n)
        wake(core.match(state))
        return nodes.map((node) => node.item)
      },
      (nodes) => nodes.map((node) => node.item)
    )
  }

  private taking<B>(
    n: number,
    now: () => B,
    collect: (nodes: ReadonlyArray<Node<A>>) => B
  ): Effect.Effect<B, QueueClosed | E> {
    const state = this[TypeId]
    return deliver<number, Array<Node<A>> | core.Closed, B, QueueClosed | E>({
      ready: () => core.available(state),
      now,
      failure: (result) => (result === undefined || result === core.Closed ? this.failure() : undefined),
      enqueue: () => this.enqueue(n),
      grant: () => {
        const ticket: TakeTicket<A> = new FiberTicket(n, 0, "nothing: it has its items")
        wake(settle(undefined, ticket, core.take(state, n)))
        wake(core.match(state))
        return ticket
      },
      cancel: (ticket) => core.cancelTake(state, ticket),
      collect: (ticket) => collect(ticket.result as Array<Node<A>>)
    })
  }

  private enqueue(n: number): TakeTicket<A> {
    const ticket: TakeTicket<A> = new FiberTicket(n, 0, "items of a queue")
    core.enqueueTake(this[TypeId], ticket)
    return ticket
  }

  private close(failure?: { readonly error: E }): boolean {
    const state = this[TypeId]
    const open = state.closed === undefined
    wake(core.close(state, failure))
    return open
  }

  /** What a taker of an empty queue gets, if the queue is closed. */
  private failure(): Effect.Effect<never, QueueClosed | E> | undefined {
    const { closed } = this[TypeId]
    if (closed === undefined) return undefined
    return closed.failure === undefined ? Effect.fail(new QueueClosed()) : Effect.fail(closed.failure.error as E)
  }

  /** What a consumer of an empty, closed queue gets: the end is not an error to it. */
  private ended(): Effect.Effect<void, E> {
    const failure = this[TypeId].closed?.failure
    return failure === undefined ? Effect.void : Effect.fail(failure.error as E)
  }
}

const succeedTrue = Effect.succeed(true)
const succeedFalse = Effect.succeed(false)

/**
 * Makes a queue, without an effect around it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe: {
  <A, E = never>(options: Options<A> & { readonly strategy: "reject" }): WorkQueue<A, E, QueueFull>
  <A, E = never>(options?: Options<A>): WorkQueue<A, E>
} = <A>(options?: Options<A>) =>
  new WorkQueueImpl(core.make("WorkQueue.make", options)) as WorkQueue<any, any, any> as any

/**
 * Makes a queue.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <A, E = never>(options: Options<A> & { readonly strategy: "reject" }): Effect.Effect<WorkQueue<A, E, QueueFull>>
  <A, E = never>(options?: Options<A>): Effect.Effect<WorkQueue<A, E>>
} = <A>(options?: Options<A>) => Effect.sync(() => makeUnsafe(options)) as Effect.Effect<any>

/**
 * Puts an item in. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const offer = <A, E, Full>(self: WorkQueue<A, E, Full>, item: A): Effect.Effect<boolean, QueueClosed | Full> =>
  self.offer(item)

/**
 * Puts items in, and gives those that were dropped. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const offerAll = <A, E, Full>(
  self: WorkQueue<A, E, Full>,
  items: Iterable<A>
): Effect.Effect<Array<A>, QueueClosed | Full> => self.offerAll(items)

/**
 * Puts an item in if that needs no wait. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryOffer = <A, E, Full>(self: WorkQueue<A, E, Full>, item: A): Effect.Effect<boolean, QueueClosed> =>
  self.tryOffer(item)

/**
 * Takes an item out; waits for one. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const take = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<A, QueueClosed | E> => self.take

/**
 * Takes up to n items out; waits for the first. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const takeUpTo = <A, E, Full>(
  self: WorkQueue<A, E, Full>,
  n: number
): Effect.Effect<Array<A>, QueueClosed | E> => self.takeUpTo(n)

/**
 * Takes all items out; waits for the first. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const takeAll = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<Array<A>, QueueClosed | E> =>
  self.takeAll

/**
 * Takes an item out if there is one. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryTake = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<Option.Option<A>, QueueClosed | E> =>
  self.tryTake

/**
 * The item that would be taken next. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const peek = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<Option.Option<A>> => self.peek

/**
 * Closes the queue to offers; takers drain it. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const end = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<boolean> => self.end

/**
 * Closes the queue to offers; takers drain it and then fail with the error. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const fail = <A, E, Full>(self: WorkQueue<A, E, Full>, error: E): Effect.Effect<boolean> => self.fail(error)

/**
 * Closes the queue and gives what was left in it. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const shutdown = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<Array<A>> => self.shutdown

/**
 * Waits until every item that was offered is done. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const join = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<void> => self.join

/**
 * Says that one item that was taken is done. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const taskDone = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<void> => self.taskDone

/**
 * Works items off until the queue has ended and is empty. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const consume = <A, E, Full, X, E2, R>(
  self: WorkQueue<A, E, Full>,
  handler: (item: A) => Effect.Effect<X, E2, R>,
  options?: ConsumeOptions<A, E2>
): Effect.Effect<void, E | E2, R> => self.consume(handler, options)

/**
 * The items, one at a time. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stream = <A, E, Full>(self: WorkQueue<A, E, Full>): Stream.Stream<A, E> => self.stream

/**
 * How many items it holds. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const size = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<number> => self.size

/**
 * A frozen snapshot. See {@link WorkQueue}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <A, E, Full>(self: WorkQueue<A, E, Full>): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `WorkQueue` on whichever queue is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  A,
  E,
  Full,
  LayerE = never,
  LayerR = never
> extends service.ServiceClass<Self, Id, WorkQueue<A, E, Full>, LayerE, LayerR> {
  readonly offer: (item: A) => Effect.Effect<boolean, QueueClosed | Full, Self>
  readonly offerAll: (items: Iterable<A>) => Effect.Effect<Array<A>, QueueClosed | Full, Self>
  readonly tryOffer: (item: A) => Effect.Effect<boolean, QueueClosed, Self>
  readonly take: Effect.Effect<A, QueueClosed | E, Self>
  readonly takeUpTo: (n: number) => Effect.Effect<Array<A>, QueueClosed | E, Self>
  readonly takeAll: Effect.Effect<Array<A>, QueueClosed | E, Self>
  readonly tryTake: Effect.Effect<Option.Option<A>, QueueClosed | E, Self>
  readonly peek: Effect.Effect<Option.Option<A>, never, Self>
  readonly end: Effect.Effect<boolean, never, Self>
  readonly fail: (error: E) => Effect.Effect<boolean, never, Self>
  readonly shutdown: Effect.Effect<Array<A>, never, Self>
  readonly join: Effect.Effect<void, never, Self>
  readonly taskDone: Effect.Effect<void, never, Self>
  readonly consume: <X, E2, R>(
    handler: (item: A) => Effect.Effect<X, E2, R>,
    options?: ConsumeOptions<A, E2>
  ) => Effect.Effect<void, E | E2, R | Self>
  readonly stream: Stream.Stream<A, E, Self>
  readonly size: Effect.Effect<number, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A queue as a service. The options may also be an effect that finds them out when the layer is built.
 *
 * **Details**: closing the layer shuts the queue down, and so ends all waits. Items that are still in it then are logged as a warning.
 *
 * @example
 * import { WorkQueue } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Jobs extends WorkQueue.Service<Jobs, string>()("app/Jobs", { capacity: 10 }) {}
 *
 * const program = Effect.zipRight(Jobs.offer("a job"), Jobs.take)
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Jobs.layer)))) // => a job
 *
 * @since 0.1.0
 * @category services
 */
export const Service: <Self, A, E = never>() => {
  <const Id extends string, LayerE = never, LayerR = never>(
    id: Id,
    options: service.Options<Options<A> & { readonly strategy: "reject" }, LayerE, LayerR>
  ): ServiceClass<Self, Id, A, E, QueueFull, LayerE, LayerR>
  <const Id extends string, LayerE = never, LayerR = never>(
    id: Id,
    options?: service.Options<Options<A>, LayerE, LayerR>
  ): ServiceClass<Self, Id, A, E, never, LayerE, LayerR>
} =
  <_Self, A, E>() =>
  (id: string, options: service.Options<Options<A>, unknown, unknown> = {}) =>
    service.make<any>(
      id,
      Effect.acquireRelease(
        Effect.flatMap(service.options(options), (options) => make<A, E>(options)),
        (queue) =>
          Effect.flatMap(queue.shutdown, (left) =>
            left.length === 0
              ? Effect.void
              : Effect.logWarning(`WorkQueue ${id}: its layer was closed with ${left.length} item(s) in it`)
          )
      ),
      {
        properties: ["take", "takeAll", "tryTake", "peek", "end", "shutdown", "join", "taskDone", "size", "stats"],
        methods: ["offer", "offerAll", "tryOffer", "takeUpTo", "fail", "consume"],
        others: { stream: (tag) => Stream.unwrap(Effect.map(tag, (self: WorkQueue<A, E>) => self.stream)) }
      }
    )
