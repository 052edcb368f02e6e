/**
 * A work queue for `async` functions.
 *
 * @since 0.1.0
 */
import { callable, integer, oneOf, record } from "../core/arguments.js"
import { QueueClosed, QueueFull } from "../core/errors.js"
import type { Node } from "../core/itemStore.js"
import { wake } from "../core/ticket.js"
import * as core from "../core/workQueue.js"
import type * as Effects from "../WorkQueue.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions, watch } from "./park.js"
import { view } from "./view.js"

/**
 * How a queue is made.
 *
 * @since 0.1.0
 */
export interface WorkQueueOptions<A> extends core.Options<A> {}

/**
 * What to do with an item whose handler failed: `"fail"`, the default, puts it back and ends the consumption with the error; `"requeue"`
 * puts it behind all others and goes on; `"drop"` counts it as done and goes on. A function chooses for each failure, and is the place to
 * report it; should it throw, the consumption ends with both errors.
 *
 * @since 0.1.0
 */
export type OnFailure<A> = core.OnFailure | ((error: unknown, item: A) => core.OnFailure)

/**
 * How a queue is consumed.
 *
 * @since 0.1.0
 */
export interface ConsumeOptions<A> {
  /** How many items are worked on at a time: an integer, 1 or more. Default 1. */
  readonly concurrency?: number | undefined
  /** What to do with an item whose handler failed. Default `"fail"`. */
  readonly onFailure?: OnFailure<A> | undefined
  /** Ends the consumption with `signal.reason`: no more items are taken, and it rejects when the handlers that run have ended. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A queue of items. The same machine as the Effect module's `WorkQueue`; `WorkQueue.from` shares one.
 *
 * **When to use**: between those who find work and those who do it. `consume` is the usual way to take: it works off items, several at a
 * time if you like, and keeps account of what is done, so that `join` can wait for it. `for await` takes items too; then call `taskDone`
 * if you use `join`. Leaving that loop leaves the queue open, and no item is lost.
 *
 * **Details**: `end` lets takers drain what is left, and then rejects them with `QueueClosed`; `fail` does so with an error of yours;
 * `shutdown` empties the queue into your hands. Offers to a closed queue reject with `QueueClosed`, also those that wait for room.
 *
 * **Interruption**: no item is lost. One that was delivered to a wait that was aborted in the same tick goes back to the head, and on to
 * the next taker. An offer that is aborted while it waits for room is not made.
 *
 * **Fairness**: takers are served in order of arrival, and offers get in in order of arrival, whatever order their items are then
 * taken in. Nobody overtakes.
 *
 * @example
 * import { WorkQueue } from "effect-concurrency/promise"
 *
 * const queue = new WorkQueue<number>({ capacity: 2 })
 * let sum = 0
 * const worker = queue.consume(async (n) => void (sum += n), { concurrency: 3 })
 * await queue.offerAll([1, 2, 3, 4, 5])
 * await queue.join()
 * queue.end()
 * await worker
 *
 * console.log(sum) // => 15
 *
 * @since 0.1.0
 */
export class WorkQueue<A> implements AsyncIterable<A> {
  /** @internal */
  declare readonly [core.TypeId]: core.State<A>

  constructor(options?: WorkQueueOptions<A>) {
    this[core.TypeId] = core.make("new WorkQueue", options)
  }

  /** A view of the queue that an Effect program, or other plain code, uses. */
  static from<A, E, Full>(queue: Effects.WorkQueue<A, E, Full> | WorkQueue<A>): WorkQueue<A> {
    return view(WorkQueue.prototype, "WorkQueue", core.TypeId, queue)
  }

  /** Puts an item in; waits for room if that is the strategy. Gives false when the item was dropped. */
  async offer(item: A, options?: WaitOptions): Promise<boolean> {
    const state = this[core.TypeId]
    checkWait("WorkQueue.offer", options)
    const admission = core.admission(state)
    if (admission === "wait") {
      await this.enter("WorkQueue.offer", [item], options)
      return true
    }
    if (admission === "refuse") throw new QueueFull(state.capacity)
    if (admission === "drop") core.drop(state)
    return this.tryOffer(item)
  }

  /**
   * Puts items in, in order and without others between them; waits for room if that is the strategy. Gives those that were dropped. With
   * the strategy "reject", all go in or none.
   */
  async offerAll(items: Iterable<A>, options?: WaitOptions): Promise<Array<A>> {
    const state = this[core.TypeId]
    const all = core.checkItems("WorkQueue.offerAll", items)
    checkWait("WorkQueue.offerAll", options)
    if (state.closed) throw new QueueClosed()
    if (state.strategy === "reject" && all.length > core.room(state)) throw new QueueFull(state.capacity)
    const left: Array<A> = []
    if (state.strategy !== "suspend") wake(core.acceptAll(state, all, left))
    else if (all.length > 0) await this.enter("WorkQueue.offerAll", all, options)
    return left
  }

  /** Puts an item in if that needs no wait; says whether it is in. */
  tryOffer(item: A): boolean {
    const state = this[core.TypeId]
    const admission = core.admission(state)
    if (admission === "closed") throw new QueueClosed()
    if (admission === "slide") return core.slide(state, item)
    if (admission !== "accept") return false
    wake(core.accept(state, item))
    return true
  }

  /** Takes an item out; waits for one. */
  take(options?: WaitOptions): Promise<A> {
    // Without options and with an item there is nothing to wait for, nor to check.
    return this.size > 0 && !options
      ? Promise.resolve(this.tryTake()!)
      : this.taking("WorkQueue.take", 1, options, itemOf<A>)
  }

  /** Takes up to n items out; waits for the first. */
  async takeUpTo(n: number, options?: WaitOptions): Promise<Array<A>> {
    core.checkCount("WorkQueue.takeUpTo", n)
    return this.taking("WorkQueue.takeUpTo", n, options, itemsOf<A>)
  }

  /** Takes all items out; waits for the first. */
  takeAll(options?: WaitOptions): Promise<Array<A>> {
    return this.taking("WorkQueue.takeAll", Infinity, options, itemsOf<A>)
  }

  /** Takes an item out if there is one; otherwise gives undefined, or throws when the queue is closed. */
  tryTake(): A | undefined {
    const state = this[core.TypeId]
    const node = core.shift(state)
    if (node) wake(core.match(state))
    else if (state.closed) throw failureOf(state.closed)
    return node?.item
  }

  /** The item that would be taken next. */
  peek(): A | undefined {
    return this[core.TypeId].store.first?.item
  }

  /** Closes the queue to offers; takers drain it. Says whether it was open. */
  end(): boolean {
    return this.close()
  }

  /** Closes the queue to offers; takers drain it and then reject with the error. Says whether it was open. */
  fail(error: unknown): boolean {
    return this.close({ error })
  }

  /** Closes the queue and gives what was left in it. */
  shutdown(): Array<A> {
    const left: Array<A> = []
    this.close()
    wake(core.drain(this[core.TypeId], left))
    return left
  }

  /** Waits until every item that was offered is done. */
  async join(options?: WaitOptions): Promise<void> {
    const state = this[core.TypeId]
    checkWait("WorkQueue.join", options)
    if (state.unfinished > 0) {
      await wait("WorkQueue.join", state, undefined, options, core.enqueueJoin<A>, core.cancelJoin<A>)
    }
  }

  /** Says that one item that was taken is done. `consume` does so by itself. */
  taskDone(): void {
    wake(core.finish("WorkQueue.taskDone", this[core.TypeId]))
  }

  /**
   * Works items off until the queue has ended and is empty. A handler gets a signal that aborts when the consumption ends early: by
   * `options.signal`, or because another handler failed.
   */
  async consume(
    handler: (item: A, context: { readonly signal: AbortSignal }) => unknown,
    options: ConsumeOptions<A> = {}
  ): Promise<void> {
    callable("WorkQueue.consume", "handler", handler)
    const { concurrency = 1, onFailure = "fail", signal } = record("WorkQueue.consume", options)
    integer("WorkQueue.consume", "concurrency", concurrency, 1)
    if (typeof onFailure !== "function") oneOf("WorkQueue.consume", "onFailure", onFailure, core.onFailures)
    checkWait("WorkQueue.consume", { signal })

    // One for each worker: Node warns of a leak at the eleventh listener of one signal.
    const controllers = Array.from({ length: concurrency }, () => new AbortController())
    const end = (reason: unknown) => controllers.forEach((controller) => controller.abort(reason))
    const unwatch = watch("WorkQueue.consume", { signal }, end)
    const errors: Array<unknown> = []
    const choose = typeof onFailure === "function" ? onFailure : () => onFailure
    const fail = (error: unknown, signal: AbortSignal) => {
      if (!signal.aborted || error !== signal.reason) errors.push(error)
      end(error)
    }
    const worker = async ({ signal }: AbortController) => {
      try {
        while (await this.consumeOne(handler, choose, signal, fail));
      } catch (error) {
        fail(error, signal)
      }
    }
    try {
      await Promise.all(controllers.map(worker))
    } finally {
      unwatch()
    }
    if (signal?.aborted === true && errors.length === 0) throw signal.reason
    if (errors.length > 1) throw new AggregateError(errors, `WorkQueue.consume: ${errors.length} errors`)
    if (errors.length === 1) throw errors[0]
    const failure = this[core.TypeId].closed?.failure
    if (failure) throw failure.error
  }

  /** Works one item off; says whether there was one. */
  private async consumeOne(
    handler: (item: A, context: { readonly signal: AbortSignal }) => unknown,
    choose: (error: unknown, item: A) => core.OnFailure,
    signal: AbortSignal,
    fail: (error: unknown, signal: AbortSignal) => void
  ): Promise<boolean> {
    const state = this[core.TypeId]
    let node: Node<A>
    try {
      node = await this.taking("WorkQueue.consume", 1, { signal }, nodeOf<A>)
    } catch (error) {
      // Closed, for whatever reason: the others still work off what was left.
      if (!signal.aborted && state.closed && !core.available(state)) return false
      throw error
    }
    try {
      await handler(node.item, { signal })
    } catch (error) {
      let choice: core.OnFailure = "fail"
      let failure = error
      try {
        // A handler that ends because it was told to has not failed: its item stays.
        if (!signal.aborted) {
          choice = oneOf("WorkQueue.consume", "onFailure", choose(error, node.item), core.onFailures)
        }
      } catch (thrown) {
        // Both are told: a choice that throws is no reason to lose why it was asked for.
        fail(error, signal)
        failure = thrown
      }
      // The others stop before the item is back, or they would take it.
      if (choice === "fail") fail(failure, signal)
      wake(core.afterFailure("WorkQueue.consume", state, node, choice))
      return choice !== "fail"
    }
    wake(core.finish("WorkQueue.consume", state))
    return true
  }

  /** How many items it holds. */
  get size(): number {
    return this[core.TypeId].store.size
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }

  /** The items, one at a time, until the queue has ended and is empty. Leaving the loop ends the iterator and not the queue. */
  [Symbol.asyncIterator](): AsyncIterableIterator<A> {
    const controller = new AbortController()
    const { signal } = controller
    const done = { done: true, value: undefined } as const
    return {
      next: async () => {
        if (signal.aborted) return done
        try {
          return { done: false, value: await this.take({ signal }) }
        } catch (error) {
          if (signal.aborted || error instanceof QueueClosed) return done
          throw error
        }
      },
      return: async () => {
        controller.abort()
        return done
      },
      [Symbol.asyncIterator]() {
        return this
      }
    }
  }

  /** Takes up to n items out; waits for the first. Not an async function: with one around it, a wait takes twice the time. */
  private taking<B>(where: string, n: number, options: WaitOptions | undefined, pick: Pick<A, B>): Promise<B> {
    return attempt(() => {
      const state = this[core.TypeId]
      checkWait(where, options)
      const nodes = core.take(state, n)
      if (nodes.length === 0) {
        if (state.closed) throw failureOf(state.closed)
        const ticket = new TakeTicket(n, state, pick)
        return park<B, core.State<A>, TakeTicket<A>>(where, state, ticket, options, core.enqueueTake, core.cancelTake)
      }
      wake(core.match(state))
      return pick(nodes)
    })
  }

  /** Waits until all of the items are in. The queue is open. */
  private async enter(where: string, all: ReadonlyArray<A>, options: WaitOptions | undefined): Promise<void> {
    const state = this[core.TypeId]
    const result = await wait(where, state, core.offer(all), options, core.enqueueOffer<A>, core.cancelOffer<A>)
    if (result === core.Closed) throw new QueueClosed()
    if (result instanceof core.Thrown) throw result.error
  }

  private close(failure?: { readonly error: unknown }): boolean {
    const state = this[core.TypeId]
    const open = !state.closed
    wake(core.close(state, failure))
    return open
  }
}

/** What is made of the nodes of a take. */
type Pick<A, B> = (nodes: ReadonlyArray<Node<A>>) => B

const nodeOf = <A>(nodes: ReadonlyArray<Node<A>>): Node<A> => nodes[0]!
const itemOf = <A>(nodes: ReadonlyArray<Node<A>>): A => nodes[0]!.item
const itemsOf = <A>(nodes: ReadonlyArray<Node<A>>): Array<A> => nodes.map((node) => node.item)

/** What a taker of an empty, closed queue gets. */
const failureOf = ({ failure }: core.Closing): unknown => (failure ? failure.error : new QueueClosed())

/** The place of a taker. */
class TakeTicket<A> extends PromiseTicket<number, Array<Node<A>> | core.Closed> {
  constructor(
    n: number,
    readonly state: core.State<A>,
    readonly pick: Pick<A, unknown>
  ) {
    super(n, 0)
  }

  override claim(): unknown {
    const { pick, result, state } = this
    return result === core.Closed ? Promise.reject(failureOf(state.closed!)) : pick(result!)
  }
}
