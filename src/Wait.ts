/**
 * Waiting for several: for the first to end, the first to succeed, so many, or all; and what becomes of the others.
 *
 * It corresponds to `asyncio.wait`, `as_completed`, `gather`, and the `staggered_race` behind happy eyeballs, with these differences.
 *
 * - Effects are descriptions: one that is given twice runs twice. Effects are started here, and are ours to interrupt. A fiber, or a `Task`, runs
 *   already: wherever one is given among effects it is only listened to, and `losers` does not concern it. It is left when the race is over,
 *   and nothing of us stays in it.
 * - To listen is not to ask for a failure. What a `Task` fails with is held back while the race goes on, and is the race's if that is what the race
 *   fails with, or `asCompleted` has given it. Otherwise the race leaves it, and it is as with any task: reported, unless somebody asks for it by
 *   the next turn. So `wait`, which gives no failures, takes none over. What a fiber fails with is its owner's, and never reported by us.
 * - A `Task` that was cancelled ends with `TaskCancelled`: an error for `firstCompleted` and the others, but no failure for `"firstFailure"`.
 * - When the caller is interrupted before it has the failure that is the result, that is reported. What `firstSuccess` and `firstN` look past
 *   is not, with or without a success.
 * - `all` interrupts the others when one fails, where `gather` has them run on (`losers: "keep"`); and what fails later is reported, where
 *   `gather` drops it. `gather` with `return_exceptions=True` is `all` of `Effect.exit`s, or of what awaits fibers: that one of
 *   those was interrupted is a value then. That the caller is, ends the caller.
 * - What has not been started when it is decided is not started any more; `losers` is about those that run.
 * - An interruption always waits for the cleanup of all that it interrupts, not of the first only, unless that is to be left.
 * - `wait` never fails and interrupts nobody, as there. `asCompleted` gives exits, each with the index of its effect, and starts anew
 *   each time the stream is run; it can be left and resumed as any stream can. For a timeout of the whole, `Stream.interruptAfter` and
 *   the like.
 * - `staggered` gives the value, and with `withIndex` who it came from, as any race does. Its errors are those of who failed, and no entry
 *   for others; a winner has none with it.
 * - A task or a fiber that takes part in a race of its own, and that cannot end well without it (`all`; `wait` for all, without a timeout; where
 *   nobody else takes part), is told so by a defect, as a task that awaits itself is. Elsewhere the race is over when nobody else is left who could
 *   change it: `firstSuccess` fails with the errors of the others then. (What runs a stream does so in a fiber of its own, and nobody can see who
 *   waits for that: `asCompleted` tells only who pulls at it.)
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import { expect, misuse, record } from "./core/arguments.js"
import type { TaskCancelled } from "./core/task.js"
import * as tasks from "./core/task.js"
import { type Chain, wake } from "./core/ticket.js"
import * as core from "./core/wait.js"
import { TooManyFailed } from "./core/wait.js"
import { milliseconds } from "./internal/duration.js"
import {
  type DurationInput,
  type Failure as FailureOf,
  failureOf,
  forkDetached,
  inheritFrom,
  interruptNow,
  isInterruptedOnly,
  onFiberExit,
  type Requirements as RequirementsOf,
  type RunningFiber,
  type Success as SuccessOf,
  withFiber
} from "./internal/effect.js"
import { FiberTicket, park } from "./internal/park.js"
import { pullStream } from "./internal/pullStream.js"
import { report } from "./internal/report.js"
import { exitOf as exitOfTask, runsIn, watch } from "./internal/task.js"
import type { Task } from "./Task.js"

export {
  /**
   * So many failed that the successes that were needed cannot come any more. `errors` are those of the effects, in start order.
   *
   * @since 0.1.0
   * @category errors
   */
  TooManyFailed
}

type AnyEffect = Effect.Effect<any, any, any>

/** What takes part: an effect, which is started here; or a fiber (which is an effect) or a task, which run already. */
type Member = AnyEffect | Task<any, any>

/** What a member gives, fails with, requires. */
type Success<T extends Member> = T extends Task<infer A, any> ? A : T extends AnyEffect ? SuccessOf<T> : never
type Failure<T extends Member> =
  T extends Task<any, infer E> ? E | TaskCancelled : T extends AnyEffect ? FailureOf<T> : never
type Requirements<T extends Member> = T extends AnyEffect ? RequirementsOf<T> : never

/**
 * What becomes of the effects that still run when there is a result.
 *
 * - `"interruptAndWait"`, the default: they are interrupted, and the result is there once their cleanup is done.
 * - `"interrupt"`: they are interrupted, and the result is there at once. Their cleanup goes on in the background.
 * - `"keep"`: they go on in the background.
 *
 * What fails after the decision is reported, whichever it is; to be interrupted is no failure.
 *
 * @since 0.1.0
 * @category models
 */
export type Losers = core.Losers

/**
 * What becomes of those who lose.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: `"interruptAndWait"`. An interruption of the caller interrupts all, also those that would have been kept. */
  readonly losers?: Losers | undefined
}

/**
 * How to race: what becomes of those who lose, and whether to say who won.
 *
 * @since 0.1.0
 * @category models
 */
export interface RaceOptions<WithIndex extends boolean = false> extends Options {
  /** Whether the value is given with the place of its effect: `{ index, value }`. Default: the value alone. */
  readonly withIndex?: WithIndex | undefined
}

/**
 * Who won, and with what: what a race gives that is asked `withIndex`. `index` is its place in what was given; of `hedge`,
 * which attempt it was, from 0.
 *
 * @since 0.1.0
 * @category models
 */
export type Winner<A> = core.Winner<A>

/**
 * What a race gives: a value, or, if it is asked `withIndex`, a `Winner`.
 *
 * @since 0.1.0
 * @category models
 */
export type Won<A, WithIndex extends boolean> = core.Won<A, WithIndex>

/**
 * How to wait for what runs.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitOptions {
  /**
   * Until one has ended; until one has failed (to be interrupted is no failure), or all have ended; until all have ended, the default.
   */
  readonly until?: core.Until | undefined
  /** How long at most; a number is of milliseconds. Default: as long as it takes. */
  readonly timeout?: DurationInput | undefined
}

/**
 * Which of the fibers and tasks had ended, and which not: each once, and in the order in which they were given.
 *
 * @since 0.1.0
 * @category models
 */
export interface Waited<F> {
  readonly done: ReadonlyArray<F>
  readonly pending: ReadonlyArray<F>
}

/**
 * One that has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Completed<out A, out E = never> {
  /** Its place in what was given. */
  readonly index: number
  readonly exit: Exit.Exit<A, E>
}

/**
 * How to hedge.
 *
 * @since 0.1.0
 * @category models
 */
export interface HedgeOptions<WithIndex extends boolean = false> extends RaceOptions<WithIndex> {
  /** How long an attempt may take before the next one is started beside it; a number is of milliseconds. */
  readonly after: DurationInput
  /** How many attempts in all: an integer, 1 or more. Default 2. */
  readonly max?: number | undefined
}

/**
 * Starts effects, and ends as the first that ends: with its value, its failure, or its interruption.
 *
 * **When to use**: when any answer will do, also a bad one. For the first good one, `firstSuccess`.
 *
 * **Details**: `asyncio.wait` with `FIRST_COMPLETED` and the cancelling that one does by hand after it. An empty list is refused (a
 * defect), since nothing would ever end it. Those that end in the same tick have the order in which they were given. `withIndex` gives a
 * value with its place; a failure is that failure.
 *
 * **Interruption**: interrupts all, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * let log = ""
 * const slow = Effect.never.pipe(Effect.onInterrupt(() => Effect.sync(() => (log = "cleaned up"))))
 * const fast = Effect.delay(Effect.succeed("fast"), 1)
 *
 * console.log(await Effect.runPromise(Wait.firstCompleted([slow, fast])), log) // => fast cleaned up
 *
 * @see firstSuccess to look past failures
 * @since 0.1.0
 * @category first
 */
export const firstCompleted = <T extends Member, WithIndex extends boolean = false>(
  effects: Iterable<T>,
  options?: RaceOptions<WithIndex>
): Effect.Effect<Won<Success<T>, WithIndex>, Failure<T>, Requirements<T>> => {
  const where = "Wait.firstCompleted"
  return checked(() =>
    race(where, effectsOf(where, effects), "firstCompleted", checkedOptions(where, options), (state) => {
      const index = core.winners(state)[0]!
      const exit = exitOf(state, index)
      return Exit.isSuccess(exit) ? Effect.succeed(valueOf(state, index)) : exit
    })
  )
}

/**
 * Starts effects, and gives the first success.
 *
 * **When to use**: for several ways to the same thing, of which some may fail: mirrors, replicas, caches.
 *
 * **Details**: when none succeeds it fails with `TooManyFailed`, which has all errors, in start order. A defect among them, or an
 * interruption, is kept in the cause. What failed before the success came is no concern of anybody.
 * `withIndex` gives the value with its place, `{ index, value }`.
 *
 * **Interruption**: interrupts all, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const mirrors = [Effect.fail("a is down"), Effect.delay(Effect.succeed("from b"), 1), Effect.never]
 *
 * console.log(await Effect.runPromise(Wait.firstSuccess(mirrors))) // => from b
 *
 * @see staggered to start them one after the other
 * @since 0.1.0
 * @category first
 */
export const firstSuccess = <T extends Member, WithIndex extends boolean = false>(
  effects: Iterable<T>,
  options?: RaceOptions<WithIndex>
): Effect.Effect<Won<Success<T>, WithIndex>, TooManyFailed<Failure<T>>, Requirements<T>> => {
  const where = "Wait.firstSuccess"
  return checked(() => race(where, effectsOf(where, effects), 1, checkedOptions(where, options), first))
}

/**
 * Starts effects, and gives the first so many successes, in the order in which they came.
 *
 * **When to use**: for a quorum: two of three replicas.
 *
 * **Details**: as soon as too many have failed for it, it fails with `TooManyFailed`. More than there are effects, or less than one, is
 * refused (a defect). `withIndex` gives each with its place.
 *
 * **Interruption**: interrupts all, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. Nobody is favoured after that.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const replicas = [Effect.delay(Effect.succeed("a"), 5), Effect.never, Effect.succeed("c")]
 *
 * console.log(await Effect.runPromise(Wait.firstN(replicas, 2))) // => [ 'c', 'a' ]
 *
 * @since 0.1.0
 * @category first
 */
export const firstN = <T extends Member, WithIndex extends boolean = false>(
  effects: Iterable<T>,
  n: number,
  options?: RaceOptions<WithIndex>
): Effect.Effect<Array<Won<Success<T>, WithIndex>>, TooManyFailed<Failure<T>>, Requirements<T>> => {
  const where = "Wait.firstN"
  return checked(() => {
    const list = effectsOf(where, effects)
    return race(where, list, core.count(where, n, list.length), checkedOptions(where, options), (state) =>
      core.hasSucceeded(state)
        ? Effect.succeed(core.winners(state).map((index) => valueOf(state, index)))
        : failed(state)
    )
  })
}

/**
 * Starts effects, and gives all their values, in the order of the effects; or the first failure.
 *
 * **When to use**: when every part is needed. `Effect.all` with unbounded concurrency does the same without a choice of what becomes of
 * the others, and drops what they fail with after the first failure.
 *
 * **Details**: `asyncio.gather`, which keeps the others running. Of no effects it gives no values.
 *
 * **Interruption**: interrupts all, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order, all at once.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Wait.all([Effect.delay(Effect.succeed("a"), 2), Effect.succeed(2)])
 *
 * console.log(await Effect.runPromise(program)) // => [ 'a', 2 ]
 *
 * @since 0.1.0
 * @category all
 */
export const all: {
  /**
   * @since 0.1.0
   * @category all
   */
  <const T extends ReadonlyArray<Member>>(
    effects: T,
    options?: Options
  ): Effect.Effect<{ -readonly [K in keyof T]: Success<T[K]> }, Failure<T[number]>, Requirements<T[number]>>
  /**
   * @since 0.1.0
   * @category all
   */
  <T extends Member>(
    effects: Iterable<T>,
    options?: Options
  ): Effect.Effect<Array<Success<T>>, Failure<T>, Requirements<T>>
} = <T extends Member>(effects: Iterable<T>, options?: Options): Effect.Effect<any, Failure<T>, Requirements<T>> => {
  const where = "Wait.all"
  return checked(() => {
    const list = effectsOf(where, effects, 0)
    return race(where, list, list.length, checkedOptions(where, options), (state) =>
      core.hasSucceeded(state)
        ? Effect.succeed(list.map((_, index) => (exitOf(state, index) as Exit.Success<any, any>).value))
        : (exitOf(state, core.losses(state)[0]!) as Exit.Exit<never, Failure<T>>)
    )
  })
}

/**
 * Waits for fibers and tasks, and says which have ended. It interrupts none of them, and never fails because of one.
 *
 * **When to use**: for work that belongs to somebody else, to look after some time, and then perhaps again.
 *
 * **Details**: `asyncio.wait`. One that is given twice counts once; one that ended while this was being resumed is in `done`, too. With
 * a timeout of 0 it only looks. None at all is refused (a defect), as in asyncio. It asks for no failure: one of a `Task` that is done is
 * reported unless somebody asks for it by the turn after this has ended.
 *
 * **Interruption**: ends the wait and nothing else. Nothing is left in the fibers and tasks, however often they are waited for.
 *
 * **Fairness**: does not apply: there is no result to get before another.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const fast = yield* Effect.fork(Effect.succeed("fast"))
 *   const slow = yield* Effect.fork(Effect.never)
 *   const { done, pending } = yield* Wait.wait([slow, fast], { until: "firstCompleted" })
 *   return [done.length, yield* Fiber.join(done[0]!), pending[0] === slow]
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 1, 'fast', true ]
 *
 * @see asCompleted to get them one by one
 * @since 0.1.0
 * @category fibers
 */
export const wait = <F extends RunningFiber<any, any> | Task<any, any>>(
  fibers: Iterable<F>,
  options?: WaitOptions
): Effect.Effect<Waited<F>> => {
  const where = "Wait.wait"
  return checked(() => {
    const list = [...new Set(listOf(where, "fibers", fibers, "a fiber or a task", isRunning))]
    const until = core.until(where, core.options(where, options)?.until)
    const timeout = options?.timeout === undefined ? Infinity : milliseconds(where, "timeout", options.timeout)
    const selves = timeout === Infinity ? selvesIn(where, list, until) : none
    const waiting = (selves: number) =>
      Effect.uninterruptibleMask((restore) => {
        const state = core.make<undefined>(
          where,
          until,
          list.map(() => false),
          { selves }
        )
        for (let i = 0; i < list.length; i++) core.startNext(state, 0)
        const listeners = list.map((member, index) =>
          listen(member, (ending) => wake(core.end(state, index, ending, undefined)))
        )
        const leave = () => listeners.forEach((listener) => wake(listener.leave()))
        const result = () => {
          leave()
          const is = (ended: boolean) =>
            list.filter((_, index) => (state.members[index]!.status !== "running") === ended)
          return Effect.succeed({ done: is(true), pending: is(false) })
        }
        if (core.isDecided(state)) return result()
        const ticket = news(state, "some of several fibers to end")
        return Effect.flatMap(
          alarm(timeout, () => wake(core.expire(state))),
          (silence) => {
            const gone = () => {
              silence()
              leave()
              return core.cancel(state, ticket)
            }
            return park(restore, ticket, gone, () => {
              silence()
              return result()
            })
          }
        )
      })
    return Effect.flatMap(selves, waiting)
  })
}

/**
 * A stream of how effects, fibers and tasks end: each as it does.
 *
 * **When to use**: to go on with each result when it is there, rather than when all are.
 *
 * **Details**: `asyncio.as_completed`. Effects are started, all at once, when the stream is run, and each time anew. Fibers and tasks run
 * already; one that is given twice counts once, as it does where it is given first. A failure does not end the stream:
 * `Stream.mapEffect(({ exit }) => exit)` has it do so. Of nothing it is empty. What was not taken from the stream and failed is
 * reported; a stream that is never run starts nothing.
 *
 * **Interruption**: when the stream is left early or interrupted, the effects are interrupted, and waited for, as `losers` says. Fibers
 * and tasks are left alone.
 *
 * **Fairness**: the order is that in which they end.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect, Stream } from "effect"
 *
 * const effects = [Effect.delay(Effect.succeed("slow"), 5), Effect.fail("no"), Effect.delay(Effect.succeed("fast"), 1)]
 * const log: Array<string> = []
 * const program = Wait.asCompleted(effects).pipe(
 *   Stream.runForEach(({ exit, index }) => Effect.sync(() => log.push(`${index}: ${exit._tag}`)))
 * )
 *
 * await Effect.runPromise(program)
 * console.log(log.join(", ")) // => 1: Failure, 2: Success, 0: Success
 *
 * @since 0.1.0
 * @category fibers
 */
export const asCompleted = <T extends Member>(
  members: Iterable<T>,
  options?: Options
): Stream.Stream<Completed<Success<T>, Failure<T>>, never, Requirements<T>> => {
  const where = "Wait.asCompleted"
  const running = checked(() => {
    const entries = once(effectsOf(where, members, 0))
    const options_ = checkedOptions(where, options)
    const list = entries.map(({ effect }) => effect)
    const make = () => begin(where, list, "each", options_)
    make() // what is refused is refused now
    const acquire = Effect.flatMap(selvesIn(where, list, "each"), () => {
      const race = make()
      return Effect.as(race.start(0), race)
    })
    return Effect.map(
      Effect.acquireRelease(acquire, ({ abandon, close, state }, exit) =>
        Effect.zipRight(
          close(Exit.isFailure(exit) && isInterruptedOnly(exit.cause)),
          Effect.suspend(() => abandon(core.disown(state)))
        )
      ),
      ({ keep, state }) => {
        const next: Effect.Effect<Completed<Success<T>, Failure<T>>, Option.Option<never>> = Effect.uninterruptibleMask(
          (restore) => {
            const index = core.take(state)
            if (index !== undefined) {
              keep(index)
              return Effect.succeed({ index: entries[index]!.index, exit: exitOf(state, index) })
            }
            if (core.isExhausted(state)) return Effect.fail(Option.none())
            const ticket = news(state, "the next of several effects to end")
            return park(
              restore,
              ticket,
              () => core.cancel(state, ticket),
              () => next
            )
          }
        )
        return next
      }
    )
  })
  return pullStream(running)
}

/**
 * Starts effects one after the other: the next when a delay is over, or as soon as the one before has failed. Gives the first success.
 *
 * **When to use**: for several ways in order of preference, of which the later ones should cost nothing when an earlier one is quick: the
 * addresses of a host (happy eyeballs).
 *
 * **Details**: `staggered_race`. The delay may be 0, which is `firstSuccess`, or infinite: then the next is only started by a failure. A
 * number is of milliseconds; one below 0 is refused (a defect), as is an empty list. When none succeeds: `TooManyFailed`, all errors in
 * start order. `withIndex` gives the value with its place.
 *
 * **Interruption**: interrupts all that were started, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: they are started in order. An earlier one is not favoured once a later one is started.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const tried: Array<string> = []
 * const connect = (address: string) =>
 *   Effect.suspend(() => {
 *     tried.push(address)
 *     return address === "::1" ? Effect.fail("unreachable") : Effect.succeed(address)
 *   })
 * const addresses = ["::1", "127.0.0.1", "10.0.0.1"].map(connect)
 *
 * const connected = await Effect.runPromise(Wait.staggered(addresses, "250 millis", { withIndex: true }))
 * console.log(connected) // => { index: 1, value: '127.0.0.1' }
 * console.log(tried) // => [ '::1', '127.0.0.1' ]
 *
 * @since 0.1.0
 * @category staggered
 */
export const staggered = <T extends Member, WithIndex extends boolean = false>(
  effects: Iterable<T>,
  delay: DurationInput,
  options?: RaceOptions<WithIndex>
): Effect.Effect<Won<Success<T>, WithIndex>, TooManyFailed<Failure<T>>, Requirements<T>> => {
  const where = "Wait.staggered"
  return checked(() => {
    const list = effectsOf(where, effects)
    const paced = { ...checkedOptions(where, options), delay: milliseconds(where, "delay", delay) }
    return race(where, list, 1, paced, first)
  })
}

/**
 * Starts an effect, and the same again beside it when it has not answered after some time. Gives the first success.
 *
 * **When to use**: against the slow tail of something that may be done twice: a read from a replica.
 *
 * **Details**: at most `max` attempts, 2 by default. An attempt that fails starts the next at once; when all have failed it fails with
 * `TooManyFailed`, errors in start order. `withIndex` says which attempt it was, from 0. No counterpart in asyncio.
 *
 * **Interruption**: interrupts all attempts, and waits for their cleanup, unless losers are to be left with `"interrupt"`.
 *
 * **Fairness**: an earlier attempt is not favoured once a later one is started.
 *
 * @example
 * import { Wait } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * let attempts = 0
 * const read = Effect.suspend(() => (++attempts === 1 ? Effect.never : Effect.succeed(`attempt ${attempts}`)))
 *
 * console.log(await Effect.runPromise(read.pipe(Wait.hedge({ after: "5 millis" })))) // => attempt 2
 *
 * @since 0.1.0
 * @category staggered
 */
export const hedge: {
  /**
   * @since 0.1.0
   * @category staggered
   */
  <WithIndex extends boolean = false>(
    options: HedgeOptions<WithIndex>
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<Won<A, WithIndex>, TooManyFailed<E>, R>
  /**
   * @since 0.1.0
   * @category staggered
   */
  <A, E, R, WithIndex extends boolean = false>(
    self: Effect.Effect<A, E, R>,
    options: HedgeOptions<WithIndex>
  ): Effect.Effect<Won<A, WithIndex>, TooManyFailed<E>, R>
} = dual(2, <A, E, R>(self: Effect.Effect<A, E, R>, options: HedgeOptions<boolean>) => {
  const where = "Wait.hedge"
  return checked(() => {
    const { after, max } = record(where, options)
    const list = Array.from({ length: core.attempts(where, max) }, () => self)
    const paced = { ...checkedOptions(where, options), delay: milliseconds(where, "after", after) }
    return race(where, effectsOf(where, list), 1, paced, first)
  })
})

// ------------------------------------------------------------------------------------------------------------------------ arguments

/** What is refused is a defect, also when it is found before there is an effect. */
const checked = <A, E, R>(f: () => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => {
  try {
    return f()
  } catch (error) {
    return Effect.die(error)
  }
}

const effectsOf = <T extends Member>(where: string, effects: Iterable<T>, min?: number): Array<T> =>
  listOf(where, "effects", effects, "an effect, a fiber or a task", isMember, min)

/** An effect can be iterated, for the sake of generators, and is no list of any. */
const listOf: typeof core.list = (where, name, members, allowed, isMember, min) => {
  expect(!(Effect.isEffect(members) || isRunning(members)), where, name, "a list", members)
  return core.list(where, name, members, allowed, isMember, min)
}

/** The state of what is a task. */
const taskOf = (member: unknown): tasks.State | undefined => (member as any)?.[tasks.TypeId]

/** Whether it runs already, and so is not ours. */
const isRunning = (member: unknown): boolean => Fiber.isFiber(member) || taskOf(member) !== undefined

const isMember = (member: unknown): boolean => Effect.isEffect(member) || isRunning(member)

/** How many of the members are the fiber that asks. It is refused if nothing good can come of it without them. */
const selvesIn = (where: string, members: ReadonlyArray<unknown>, goal: core.Goal): Effect.Effect<number> => {
  const running = members.filter(isRunning)
  if (running.length === 0) return none
  return withFiber((fiber) => {
    const own = running.filter((member) => (taskOf(member) === undefined ? member === fiber : runsIn(member, fiber)))
    if (!core.waitsForItself(goal, members.length, own.length)) return Effect.succeed(own.length)
    return Effect.die(misuse(where, own.some(taskOf) ? tasks.itself : core.itself))
  })
}

const none = Effect.succeed(0)

const checkedOptions = (where: string, options: RaceOptions<boolean> | undefined): RaceOptions<boolean> => {
  const { losers, withIndex } = core.options(where, options) ?? {}
  return { losers, withIndex }
}

/** Each that runs already once: where it is given first. */
const once = <T extends Member>(
  effects: ReadonlyArray<T>
): ReadonlyArray<{ readonly effect: T; readonly index: number }> => {
  const seen = new Set<T>()
  return effects.flatMap((effect, index) =>
    !isRunning(effect) || seen.size < seen.add(effect).size ? [{ effect, index }] : []
  )
}

// -------------------------------------------------------------------------------------------------------------------------- running

/** Effects of one caller that run. All that it gives is for uninterruptible regions. */
const begin = <T extends Member>(where: string, effects: ReadonlyArray<T>, goal: core.Goal, options: core.Options) => {
  const state: State<T> = core.make(
    where,
    goal,
    effects.map((effect) => !isRunning(effect)),
    options
  )
  /** Where ours run. */
  const fibers: Array<RunningFiber<void, never> | undefined> = []
  /** Who listens to those which are not ours. */
  const listeners: Array<Listener> = []

  const start = (now: number): Effect.Effect<void, never, Requirements<T>> => {
    let index: number | undefined
    return Effect.whileLoop({
      while: () => {
        index = core.startNext(state, now)
        return index !== undefined
      },
      body: () => begun(index!),
      step: (fiber) => {
        if (fiber !== undefined) fibers[index!] = fiber
      }
    })
  }

  /** Starts an effect, and gives where it runs; or listens to a fiber. */
  const begun = (index: number): Effect.Effect<RunningFiber<void, never> | undefined, never, Requirements<T>> => {
    const effect: T = effects[index]!
    if (!isRunning(effect)) return forkDetached(member(effect as AnyEffect, index))
    listeners[index] = listen(effect, (ending, exit) => wake(core.end(state, index, ending, exit)))
    return Effect.succeed(undefined)
  }

  /** It may be interrupted whatever its caller is, and tells its end itself: also when it is interrupted before it began. */
  const member = (effect: AnyEffect, index: number): Effect.Effect<void, never, Requirements<T>> =>
    Effect.matchCauseEffect(Effect.interruptible(effect), {
      onFailure: (cause) => ended(index, Exit.failCause(cause)),
      onSuccess: (value) => ended(index, Exit.succeed(value))
    })

  const ended = (index: number, exit: Exit.Exit<Success<T>, Failure<T>>): Effect.Effect<void> => {
    const late = core.isDecided(state)
    // What no winner needs is not kept: a fiber is large, and the others may run for long.
    if (Exit.isFailure(exit)) fibers[index] = undefined
    wake(core.end(state, index, endingOf(exit), exit))
    return late ? reported(index) : Effect.void
  }

  const reported = (index: number): Effect.Effect<void> => {
    const { ours, result, status } = state.members[index]!
    if (!ours || status !== "failed" || result === undefined || Exit.isSuccess(result)) return Effect.void
    const message = `number ${index} failed, and nobody waits for it any more`
    return report({ where, name: undefined, message, cause: result.cause })
  }

  const close = (gone: boolean): Effect.Effect<void> =>
    withFiber((caller) => {
      listeners.forEach((listener, index) => {
        if (state.members[index]!.status === "running") wake(listener.leave())
      })
      for (const index of core.close(state, gone)) interruptNow(fibers[index]!, caller)
      return core.mustWait(state) ? drained : Effect.void
    })

  const drained: Effect.Effect<void> = Effect.suspend(() =>
    core.mustWait(state) ? Effect.flatMap(news(state, "those who lost, to end").settlement, () => drained) : Effect.void
  )

  /** The caller has what a member ended with. */
  const keep = (index: number) => listeners[index]?.keep()

  /** Nobody has what the others ended with; of these, which are ours, that is told. */
  const abandon = (failed: ReadonlyArray<number>): Effect.Effect<void> =>
    Effect.suspend(() => {
      listeners.forEach((listener) => wake(listener.leave()))
      return Effect.forEach(failed, reported, { discard: true })
    })

  /** What the winners have set in their `FiberRef`s. */
  const inherit = Effect.suspend(() =>
    Effect.forEach(
      core.winners(state).flatMap((index) => fibers[index] ?? []),
      inheritFrom,
      { discard: true }
    )
  )

  return { state, start, close, keep, abandon, inherit }
}

/** Who listens to what runs already. */
interface Listener {
  /** Somebody has what it ended with. */
  keep(): void
  /** Nobody has, or it has not ended: it is as if nobody had listened. */
  leave(): Chain
}

/** Has a function called with how something ends that runs already. */
const listen = (member: Member, ended: (ending: core.Ending, exit: Exit.Exit<any, any>) => void): Listener => {
  const task = taskOf(member)
  if (task === undefined) {
    const fiber = member as unknown as RunningFiber<any, any>
    let over = false
    const forget = onFiberExit(fiber, (exit) => {
      over = true
      ended(endingOf(exit), exit)
    })
    const leave = () => {
      if (!over) forget() // which looks through all who listen
      return undefined
    }
    return { keep: () => {}, leave }
  }
  return watch(task, (outcome) => {
    const exit = exitOfTask(task, outcome)
    ended(outcome._tag === "Cancelled" ? "interrupted" : endingOf(exit), exit)
  })
}

type State<T extends Member> = core.State<Exit.Exit<Success<T>, Failure<T>>>

/** Runs effects until it is decided, lets go of those that still run, and gives the result. */
const race = <T extends Member, A, E>(
  where: string,
  effects: ReadonlyArray<T>,
  goal: core.Goal,
  options: core.Options,
  result: (state: State<T>) => Effect.Effect<A, E>
): Effect.Effect<A, E, Requirements<T>> => {
  begin(where, [], goal, options) // what is refused is refused now
  const run = (selves: number) =>
    Effect.uninterruptibleMask((restore) => {
      const { abandon, close, inherit, keep, start, state } = begin(where, effects, goal, { ...options, selves })
      const time = state.delay === 0 ? Effect.succeed(0) : Clock.currentTimeMillis
      const decision: Effect.Effect<void, never, Requirements<T>> = Effect.flatMap(time, (now) =>
        Effect.flatMap(start(now), () => {
          if (core.isDecided(state)) return Effect.void
          if (core.isStartDue(state, now)) return decision
          const ticket = news(state, "one of several effects to end")
          return Effect.flatMap(
            alarm(core.wakeAt(state) - now, () => wake(core.tick(state))),
            (silence) =>
              park(
                restore,
                ticket,
                () => {
                  silence()
                  return core.cancel(state, ticket)
                },
                () => {
                  silence()
                  return decision
                }
              )
          )
        })
      )
      const gone = (reasons: ReadonlyArray<number>, cause: Cause.Cause<never>) =>
        Effect.zipRight(abandon(reasons), Effect.failCause(cause))
      return Effect.matchCauseEffect(decision, {
        onFailure: (cause) => {
          const reasons = core.reasons(state) // when it was interrupted in the tick of the decision
          return Effect.zipRight(close(true), gone(reasons, cause))
        },
        onSuccess: () =>
          // An interruption that came while those who lost cleaned up is to be seen before the result: it would take that away.
          Effect.matchCauseEffect(Effect.zipRight(close(false), restore(Effect.void)), {
            onFailure: (cause) => gone(core.reasons(state), cause),
            onSuccess: () => {
              core.reasons(state).forEach(keep)
              return Effect.zipRight(Effect.zipRight(abandon([]), inherit), result(state))
            }
          })
      })
    })
  return Effect.flatMap(selvesIn(where, effects, goal), run)
}

const news = (state: core.State, what: string): FiberTicket<undefined, undefined> => {
  const ticket = new FiberTicket<undefined, undefined>(undefined, 0, what)
  core.enqueue(state, ticket)
  return ticket
}

/** Calls a function after some time. What it gives prevents that. */
const alarm = (milliseconds: number, ring: () => void): Effect.Effect<() => void> => {
  if (milliseconds === Infinity) return Effect.succeed(() => {})
  return withFiber((caller) =>
    Effect.map(
      forkDetached(Effect.interruptible(Effect.zipRight(Effect.sleep(milliseconds), Effect.sync(ring)))),
      (fiber) => () => interruptNow(fiber, caller)
    )
  )
}

const endingOf = (exit: Exit.Exit<unknown, unknown>): core.Ending => {
  if (Exit.isSuccess(exit)) return "succeeded"
  return isInterruptedOnly(exit.cause) ? "interrupted" : "failed"
}

const exitOf = <A, E>({ members }: core.State<Exit.Exit<A, E>>, index: number): Exit.Exit<A, E> =>
  members[index]!.result!

/** What a winner gave, as the caller wants it. */
const valueOf = (state: core.State<Exit.Exit<any, any>>, index: number): any =>
  core.won(state, index, (exitOf(state, index) as Exit.Success<any, any>).value)

/** The first success, or all failures. */
const first = <E>(state: core.State<Exit.Exit<any, E>>): Effect.Effect<any, TooManyFailed<E>> =>
  core.hasSucceeded(state) ? Effect.succeed(valueOf(state, core.winners(state)[0]!)) : failed(state)

/** The failures as one; beside them what is none of the kind: defects, interruptions. */
const failed = <A, E>(state: core.State<Exit.Exit<A, E>>): Effect.Effect<never, TooManyFailed<E>> => {
  const errors: Array<E> = []
  const others: Array<Cause.Cause<never>> = []
  for (const index of core.losses(state)) {
    const { cause } = exitOf(state, index) as Exit.Failure<A, E>
    const failure = failureOf(cause)
    if (Option.isSome(failure)) errors.push(failure.value)
    else others.push(cause as Cause.Cause<never>)
  }
  const failures =
    errors.length > 0 ? [Cause.fail(new TooManyFailed(errors, state.goal as number, state.members.length))] : []
  const causes: Array<Cause.Cause<TooManyFailed<E>>> = [...failures, ...others]
  return Effect.failCause(causes.reduce((left, right) => Cause.parallel(left, right)))
}
