/**
 * Taking permits of a semaphore from an `async` function: what the facade's Semaphore, and everything with a lock inside,
 * translates to. The numbers of permits were checked by the caller, if they are not 1.
 *
 * @internal
 */
import { callable, refusal } from "../core/arguments.js"
import type { RequestOptions, State } from "../core/semaphore.js"
import * as core from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import { Lease } from "./Lease.js"
import { attempt, checkWait, park, PromiseTicket, type WaitOptions, watch } from "./park.js"

export interface Options extends RequestOptions, WaitOptions {}

type Work<A> = () => A | PromiseLike<A>

/** The place of a caller: of one who will get a lease, or of one with a function to run. It carries what it needs, to spare a closure. */
class PermitsTicket extends PromiseTicket<number, core.Grant> {
  constructor(
    readonly state: State,
    permits: number,
    priority: number,
    readonly f?: Work<unknown>
  ) {
    super(permits, priority)
  }

  override claim(): unknown {
    return this.result instanceof Error
      ? Promise.reject(this.result)
      : this.f
        ? this
        : new Lease(this.state, this.request, this.result!)
  }
}

/** Takes permits. */
export const acquire = (where: string, state: State, permits: number, options: Options | undefined): Promise<Lease> =>
  attempt(() => {
    const priority = core.priorityOf(where, options)
    checkWait(where, options)
    return tryTake(state, permits, priority) ?? queue(where, options, new PermitsTicket(state, permits, priority))
  })

const queue = <A>(where: string, options: Options | undefined, ticket: PermitsTicket): Promise<A> =>
  park(where, ticket.state, ticket, options, core.enqueue, core.cancel)

/** A lease, if it is to be had at once. */
export const tryTake = (state: State, permits: number, priority: number): Lease | undefined =>
  core.tryTake(state, permits, priority) ? new Lease(state, permits, state.epoch) : undefined

/** Runs a function with permits. With what is free it starts before this returns. */
export const run = <A>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  f: Work<A>
): Promise<A> =>
  attempt(() => {
    callable(where, "f", f)
    const priority = core.priorityOf(where, options)
    checkWait(where, options)
    return core.tryTake(state, permits, priority)
      ? runHeld(f, state, permits, state.epoch)
      : // A reaction rather than a call from `wake`: it runs in the caller's context (AsyncLocalStorage), not in the releaser's.
        queue<PermitsTicket>(
          where,
          options,
          // A step lies between the grant and the reaction. With a signal that has aborted in it nothing starts, and the permits go back.
          new PermitsTicket(state, permits, priority, options ? () => (checkWait(where, options), f()) : f)
        ).then(runGranted<A>)
  })

const runGranted = <A>({ f, request, result, state }: PermitsTicket): Promise<A> =>
  runHeld(f as Work<A>, state, request, result!)

/** Not an async function: that would be a promise more for each call, and twice the time. */
const runHeld = <A>(f: Work<A>, state: State, permits: number, epoch: core.Grant): Promise<A> => {
  const release = () => wake(core.giveBack(state, permits, epoch))
  const result = attempt(f)
  // Its first reaction, so that whoever awaits it finds the permits given back.
  void result.then(release, release)
  return result
}

/** Runs a function with permits that are to be had at once, or not at all. */
export const runIfAvailable = async <A>(
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined,
  f: Work<A>
): Promise<A | undefined> => {
  callable(where, "f", f)
  return core.tryTake(state, permits, core.priorityOf(where, options))
    ? runHeld(f, state, permits, state.epoch)
    : undefined
}

/** A function that runs each of its calls with permits. */
export const wrap = <This, Args extends Array<unknown>, A>(
  where: string,
  f: (this: This, ...args: Args) => A | PromiseLike<A>,
  run: (call: () => A | PromiseLike<A>) => Promise<A>
): ((this: This, ...args: Args) => Promise<A>) => {
  callable(where, "f", f)
  return function (...args) {
    return run(() => f.apply(this, args))
  }
}

/** Applies a function to many inputs, each with permits. An abort before its end is a failure, whatever has been started by then. */
export const map = async <A, B>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  inputs: Iterable<A | PromiseLike<A>> | AsyncIterable<A>,
  f: (input: A, index: number) => B | PromiseLike<B>
): Promise<Array<B>> => {
  callable(where, "f", f)
  checkWait(where, options)
  const source = Object(inputs) as Partial<Iterable<A> & AsyncIterable<A>>
  const later = source[Symbol.asyncIterator]?.()
  const iterator = later ?? source[Symbol.iterator]?.()
  if (!iterator) throw refusal(where, "inputs", "an iterable or an async iterable", inputs)
  const priority = core.priorityOf(where, options)
  const running: Array<Promise<B>> = []
  const errors: Array<unknown> = []

  // An object that ends several calls is one failure, and so is an abort; two equal texts are two. Nothing starts then, nor waits for a permit.
  const stop = new AbortController()
  const fail = (error: unknown): any => {
    if (error !== failed && !(errors.includes(error) && (Object(error) === error || options?.signal?.aborted)))
      errors.push(error)
    stop.abort(failed)
  }
  const unwatch = watch(where, { signal: options?.signal }, fail)

  const apply = async (lease: Lease, input: A | PromiseLike<A>, index: number): Promise<B> => {
    try {
      const value = await input
      stop.signal.throwIfAborted()
      return await f(value, index)
    } catch (error) {
      return fail(error)
    } finally {
      lease.release()
    }
  }

  let open = true
  try {
    while (open) {
      stop.signal.throwIfAborted()
      // Without an await while there are permits and inputs: the first calls start before `map` returns.
      let lease: Lease | undefined =
        tryTake(state, permits, priority) ?? (await acquire(where, state, permits, { ...options, signal: stop.signal }))
      try {
        // An iterator that throws has closed itself, so until it has answered there is nothing to close.
        open = false
        const next = later ? await later.next() : (iterator as Iterator<A>).next()
        open = !next.done
        if (!open) break
        stop.signal.throwIfAborted()
        running.push(apply(lease, next.value, running.length))
        lease = undefined
      } finally {
        lease?.release()
      }
    }
  } catch (error) {
    fail(error)
  }
  try {
    if (open) await iterator.return?.()
  } catch (error) {
    fail(error)
  }
  const results = await Promise.all(running)
  unwatch()
  if (errors.length > 1) throw new AggregateError(errors, `${where}: ${errors.length} calls failed`)
  for (const error of errors) throw error
  return results
}

/** The reason that `map` gives itself. */
const failed = Symbol("failed")
