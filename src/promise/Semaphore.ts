/**
 * A semaphore for `async` functions: at most so many at a time, first come, first served.
 *
 * @since 0.1.0
 */
import { callable, integer } from "../core/arguments.js"
import * as core from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../Semaphore.js"
import type { Lease } from "./Lease.js"
import { attempt } from "./park.js"
import * as permits from "./permits.js"
import { view } from "./view.js"

/**
 * How permits are asked for: a signal or a timeout to give up by, and a priority.
 *
 * @since 0.1.0
 */
export interface SemaphoreOptions extends permits.Options {}

/**
 * How a function is run: how many permits it takes (by default one), and how it asks for them.
 *
 * @since 0.1.0
 */
export interface SemaphoreRunOptions extends permits.Options {
  readonly permits?: number | undefined
}

/**
 * A number of permits. The same machine as the Effect module's `Semaphore`; `Semaphore.from` shares one.
 *
 * **When to use**: to limit how many calls run at once. `run` limits one call, `wrap` a function, `map` the work on a list.
 *
 * **Details**: with free permits the function is started before `run` returns. What it throws is what `run` rejects with. A request for
 * more permits than there are is a `RangeError`: it could never be granted.
 *
 * **Interruption**: an aborted or timed-out wait leaves the queue at once. If it was granted its permits in the same tick, they go on.
 *
 * **Fairness**: strict order of arrival within a priority. Nobody overtakes: neither a newcomer, nor a smaller request, nor `tryAcquire`.
 * The option `fairness: "throughput"` changes that.
 *
 * @example
 * import { Semaphore } from "effect-concurrency/promise"
 *
 * const semaphore = new Semaphore(2)
 * let running = 0
 * let peak = 0
 * const results = await semaphore.map([1, 2, 3, 4], async (n) => {
 *   peak = Math.max(peak, ++running)
 *   await Promise.resolve()
 *   running--
 *   return n * n
 * })
 *
 * console.log(results) // => [ 1, 4, 9, 16 ]
 * console.log(peak) // => 2
 *
 * @since 0.1.0
 */
export class Semaphore {
  /** @internal */
  declare readonly [core.TypeId]: core.State

  constructor(options: number | core.Options) {
    this[core.TypeId] = core.fromOptions("new Semaphore", options)
  }

  /** A view of the semaphore that an Effect program, or other plain code, uses: both queue behind each other. */
  static from(semaphore: Effects.Semaphore | Semaphore): Semaphore {
    return view(Semaphore.prototype, "Semaphore", core.TypeId, semaphore)
  }

  /** Runs a function with permits, which come back when what it returned has settled. */
  run<A>(f: () => A | PromiseLike<A>, options?: SemaphoreRunOptions): Promise<A> {
    if (!options) return permits.run("Semaphore.run", this[core.TypeId], 1, undefined, f)
    return this.checked("Semaphore.run", options.permits, (where, state, count) =>
      permits.run(where, state, count, options, f)
    )
  }

  /** The same as `run`, under the name of TC39's Governor. */
  with<A>(f: () => A | PromiseLike<A>, options?: SemaphoreRunOptions): Promise<A> {
    return this.run(f, options)
  }

  /** Runs a function if the permits are to be had without waiting and without overtaking anybody; otherwise resolves to undefined. */
  runIfAvailable<A>(
    f: () => A | PromiseLike<A>,
    options?: core.RequestOptions & { readonly permits?: number | undefined }
  ): Promise<A | undefined> {
    return this.checked("Semaphore.runIfAvailable", options?.permits, (where, state, count) =>
      permits.runIfAvailable(where, state, count, options, f)
    )
  }

  /** Takes permits, by default one, until the lease is released. */
  acquire(count = 1, options?: SemaphoreOptions): Promise<Lease> {
    if (count === 1) return permits.acquire("Semaphore.acquire", this[core.TypeId], 1, options)
    return this.checked("Semaphore.acquire", count, (where, state, count) =>
      permits.acquire(where, state, count, options)
    )
  }

  /** Takes permits, by default one, if they are to be had without waiting and without overtaking anybody. */
  tryAcquire(count = 1, options?: core.RequestOptions): Lease | undefined {
    const state = this[core.TypeId]
    return permits.tryTake(state, count, core.checkRequest("Semaphore.tryAcquire", state, count, options))
  }

  /** Takes permits which the caller will give back with `release`. Prefer `run` or `acquire`, which cannot give back twice. */
  take(count = 1, options?: SemaphoreOptions): Promise<number> {
    return this.checked("Semaphore.take", count, async (where, state, count) => {
      await permits.acquire(where, state, count, options)
      return count
    })
  }

  /** Takes permits if they are to be had without waiting and without overtaking anybody; says whether it did. */
  tryTake(count = 1, options?: core.RequestOptions): boolean {
    const state = this[core.TypeId]
    return core.tryTake(state, count, core.checkRequest("Semaphore.tryTake", state, count, options))
  }

  /** Gives permits back and returns how many are free. More than are taken is a `RangeError`. */
  release(count = 1): number {
    const state = this[core.TypeId]
    integer("Semaphore.release", "permits", count, 0, state.taken)
    wake(core.release(state, count))
    return core.free(state)
  }

  /** Takes all permits back from whoever holds them and returns how many are free. What those holders give back later does not count. */
  releaseAll(): number {
    const state = this[core.TypeId]
    wake(core.releaseAll(state))
    return core.free(state)
  }

  /**
   * Changes how many permits there are. Nobody loses a permit. Those who wait for more than there are now reject with a `RangeError`; but
   * `resize(0)` only closes, and they wait on.
   */
  resize(count: number): void {
    integer("Semaphore.resize", "permits", count, 0)
    wake(core.resize(this[core.TypeId], count))
  }

  /** A function that runs each of its calls with permits. */
  wrap<This, Args extends Array<unknown>, A>(
    f: (this: This, ...args: Args) => A | PromiseLike<A>,
    options?: SemaphoreRunOptions
  ): (this: This, ...args: Args) => Promise<A> {
    return permits.wrap("Semaphore.wrap", f, (call) => this.run(call, options))
  }

  /**
   * Applies a function to each of many inputs, as many at a time as permits allow, and gives the results in the order of the inputs.
   * An input is asked for only when there is a permit for it. When a call fails no more are started, and when those that run have ended it
   * rejects: with the error, or with an `AggregateError` of several, in the order in which they came. An error object that several calls
   * reject with is one failure; two equal texts are two, unless the signal has aborted, whose reason they may be.
   */
  map<A, B>(
    inputs: Iterable<A | PromiseLike<A>> | AsyncIterable<A>,
    f: (input: A, index: number) => B | PromiseLike<B>,
    options?: SemaphoreRunOptions
  ): Promise<Array<B>> {
    return this.checked("Semaphore.map", options?.permits, (where, state, count) =>
      permits.map(where, state, count, options, inputs, f)
    )
  }

  /** An iterator whose every `next` runs with a permit. */
  wrapIterator<A>(iterator: Iterator<A> | AsyncIterator<A>): AsyncIterableIterator<A> {
    callable("Semaphore.wrapIterator", "iterator.next", (iterator as Iterator<A> | undefined)?.next)
    const next = () => this.run(() => iterator.next())
    return {
      next,
      return: async (value) => (await iterator.return?.(value)) ?? { done: true, value },
      [Symbol.asyncIterator]() {
        return this
      }
    }
  }

  /** Goes on with a number of permits that can be granted, or rejects. One always can. */
  private checked<A>(
    where: string,
    count = 1,
    go: (where: string, state: core.State, count: number) => Promise<A>
  ): Promise<A> {
    return attempt(() => {
      const state = this[core.TypeId]
      if (count !== 1) core.checkPermits(where, state, count)
      return go(where, state, count)
    })
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}
