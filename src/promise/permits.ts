/**
 * Taking permits of a semaphore from an `async` function: what the facade's Semaphore, and everything with a lock inside,
 * translates to.
 *
 * @internal
 */
import { callable, refusal } from "../core/arguments.js"
import type { RequestOptions, State } from "../core/semaphore.js"
import * as core from "../core/semaphore.js"
import { wake } from "../core/ticket.js"
import { Lease } from "./Lease.js"
import { checkWait, park, PromiseTicket, settlement, type WaitOptions } from "./park.js"

export interface Options extends RequestOptions, WaitOptions {}

/** The place of a function that will run with permits. It carries what it needs, so that waiting allocates no closure. */
class RunTicket<A> extends PromiseTicket<number, number> {
  constructor(
    readonly state: State,
    permits: number,
    priority: number,
    readonly f: () => A | PromiseLike<A>
  ) {
    super(permits, priority)
  }
}

/** The place of a caller who will get a lease. */
class LeaseTicket extends PromiseTicket<number, number> {
  constructor(
    readonly state: State,
    permits: number,
    priority: number
  ) {
    super(permits, priority)
  }

  override claim(): Lease | Promise<never> {
    const { request, result, state } = this
    if (result === core.Refused) return Promise.reject(core.refusalOf(state, request))
    return new Lease(state, request, result!)
  }
}

/** Runs a function with permits. With what is free it starts before this returns. */
export const run = <A>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  f: () => A | PromiseLike<A>
): Promise<A> => {
  if (options !== undefined || typeof f !== "function") return runWith(where, state, permits, options, f)
  if (permits !== 1) return runWith(where, state, permits, options, f)
  if (core.tryTake(state, 1, 0)) return runHeld(state, 1, state.epoch, f)
  const ticket = new RunTicket(state, 1, 0, f)
  core.enqueue(state, ticket)
  return settlement<RunTicket<A>>(ticket).then(runGranted<A>)
}

/** A reaction rather than a call from `wake`: it runs in the caller's context (AsyncLocalStorage), not in the releaser's. */
const runGranted = <A>({ f, request, result, state }: RunTicket<A>): Promise<A> => {
  if (result === core.Refused) throw core.refusalOf(state, request)
  return runHeld(state, request, result!, f)
}

const runHeld = async <A>(state: State, permits: number, epoch: number, f: () => A | PromiseLike<A>): Promise<A> => {
  try {
    return await f()
  } finally {
    wake(core.giveBack(state, permits, epoch))
  }
}

/** The general form of `run`. */
const runWith = async <A>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  f: () => A | PromiseLike<A>
): Promise<A> => {
  callable(where, "the function", f)
  return await runHeld(state, permits, await takeEpoch(where, state, permits, options), f)
}

/** Runs a function with permits, or not at all. */
export const runIfAvailable = async <A>(
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined,
  f: () => A | PromiseLike<A>
): Promise<A | undefined> => {
  callable(where, "the function", f)
  const taken = core.tryTake(state, permits, core.checkRequest(where, state, permits, options))
  return taken ? await runHeld(state, permits, state.epoch, f) : undefined
}

/** Takes permits. */
export const acquire = (
  where: string,
  state: State,
  permits: number,
  options: Options | undefined
): Promise<Lease> => {
  if (options !== undefined || permits !== 1) return acquireWith(where, state, permits, options)
  if (core.tryTake(state, 1, 0)) return Promise.resolve(new Lease(state, 1, state.epoch))
  const ticket = new LeaseTicket(state, 1, 0)
  core.enqueue(state, ticket)
  return settlement<Lease>(ticket)
}

/** The general form of `acquire`. */
const acquireWith = async (where: string, state: State, permits: number, options: Options | undefined) =>
  granted(state, permits, await takeEpoch(where, state, permits, options))

export const tryAcquire = (
  where: string,
  state: State,
  permits: number,
  options: RequestOptions | undefined
): Lease | undefined =>
  core.tryTake(state, permits, core.checkRequest(where, state, permits, options))
    ? granted(state, permits, state.epoch)
    : undefined

/** Takes permits for a caller who gives them back. */
export const take = async (
  where: string,
  state: State,
  permits: number,
  options: Options | undefined
): Promise<number> => {
  await takeEpoch(where, state, permits, options)
  return permits
}

/** Takes permits and returns the epoch of the grant. */
const takeEpoch = async (where: string, state: State, permits: number, options: Options | undefined): Promise<number> => {
  const priority = core.checkRequest(where, state, permits, options)
  checkWait(where, options)
  if (core.tryTake(state, permits, priority)) return state.epoch
  const ticket = new PromiseTicket<number, number>(permits, priority)
  core.enqueue(state, ticket)
  await park(where, ticket, options, () => core.cancel(state, ticket))
  if (ticket.result === core.Refused) throw core.refusalOf(state, permits)
  return ticket.result!
}

const granted = (state: State, permits: number, epoch: number): Lease => {
  if (epoch === core.Refused) throw core.refusalOf(state, permits)
  return new Lease(state, permits, epoch)
}

/** A function that runs each of its calls with permits. */
export const wrap = <This, Args extends Array<unknown>, A>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  f: (this: This, ...args: Args) => A | PromiseLike<A>
): ((this: This, ...args: Args) => Promise<A>) => {
  callable(where, "the function", f)
  return function (...args) {
    return run(where, state, permits, options, () => f.apply(this, args))
  }
}

/** Applies a function to many inputs, each with permits. */
export const map = async <A, B>(
  where: string,
  state: State,
  permits: number,
  options: Options | undefined,
  inputs: Iterable<A | PromiseLike<A>> | AsyncIterable<A>,
  f: (input: A, index: number) => B | PromiseLike<B>
): Promise<Array<B>> => {
  callable(where, "the function", f)
  const iterator = iterate<A>(where, inputs)
  const results: Array<B> = []
  const errors: Array<unknown> = []
  const running: Array<Promise<void>> = []

  const apply = async (lease: Lease, input: A | PromiseLike<A>, index: number) => {
    try {
      results[index] = await f(await input, index)
    } catch (error) {
      errors.push(error)
    } finally {
      lease.release()
    }
  }

  let exhausted = false
  try {
    for (let index = 0; errors.length === 0 && !exhausted; index++) {
      const lease = await acquire(where, state, permits, options)
      let started = false
      try {
        if (errors.length > 0) break
        const next = await iterator.next()
        exhausted = next.done === true
        if (next.done === true || errors.length > 0) break
        started = true
        running.push(apply(lease, next.value, index))
      } finally {
        if (!started) lease.release()
      }
    }
    if (!exhausted) await iterator.return?.()
  } catch (error) {
    errors.push(error)
  }
  await Promise.all(running)
  if (errors.length > 1) throw new AggregateError(errors, `${where}: ${errors.length} calls failed`)
  if (errors.length === 1) throw errors[0]
  return results
}

const iterate = <A>(
  where: string,
  inputs: Iterable<A | PromiseLike<A>> | AsyncIterable<A>
): Iterator<A | PromiseLike<A>> | AsyncIterator<A> => {
  const source = Object(inputs) as Partial<Iterable<A> & AsyncIterable<A>>
  const iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]?.()
  if (iterator === undefined) throw refusal(where, "inputs", "an iterable or an async iterable", inputs)
  return iterator
}
