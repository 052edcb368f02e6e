/**
 * A shield: work that is done although whoever started it is interrupted.
 *
 * It corresponds to `asyncio.shield`, with these differences:
 *
 * - A failure that comes after the caller has gone is reported when it happens, once. (Python did so only when garbage was collected.)
 * - Python's protects work from one caller's cancellation, and not from the end of the program. A `Shield.Service` does: closing its
 *   layer waits for the work. And the work is held, so nobody has to keep a reference.
 * - Python's takes a task, of which there may be several shields. Here each use of a shielded effect does the work anew; to share running
 *   work, fork it and `Fiber.join` it, or wait for a `Task`: whoever waits for a fiber can be interrupted, and the fiber does not notice.
 * - `critical` has no counterpart there: the caller waits for the end, and is interrupted then.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { callable, expect, misuse, record, refusal } from "./core/arguments.js"
import * as running from "./core/running.js"
import * as core from "./core/shield.js"
import { ShieldClosed } from "./core/shield.js"
import { wake } from "./core/ticket.js"
import { milliseconds, within } from "./internal/duration.js"
import {
  type AnyFiber,
  type DurationInput,
  forkDetached,
  inheritFrom,
  isInterruptedOnly,
  type RunningFiber,
  runner,
  runPlain,
  withFiber
} from "./internal/effect.js"
import { type Insiders, isInside } from "./internal/insiders.js"
import { FiberTicket, park, type Restore } from "./internal/park.js"
import { log, overdue, type Report, report, reporter, reportWithin, type Unhandled } from "./internal/report.js"
import * as service from "./internal/service.js"

export {
  /**
   * The shield is closed: nobody would wait for what is started there.
   *
   * @since 0.1.0
   * @category errors
   */
  ShieldClosed
}

export type {
  /**
   * What is reported: which work, what happened to it, and why.
   *
   * @since 0.1.0
   * @category models
   */
  Unhandled
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
 * How work is shielded.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkOptions {
  /** For reports, and for whoever looks. */
  readonly name?: string | undefined
}

/**
 * How a shield is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /**
   * How long closing waits for the work. What has not ended then is reported by name and left behind: it goes on for as long as the
   * process does. A report has the same time: a failure whose report has not ended by the deadline is logged, and the report of what is left
   * behind may take as long again. Default: as long as it takes.
   */
  readonly deadline?: DurationInput | undefined
  /**
   * Where failures go whose caller has gone, once each. It runs in a fiber of its own, so a timeout in it works. Should it fail, or interrupt
   * itself, that is logged, and the failure with it. It must not wait for the shield, which waits for it. Default: logs at error level, with
   * the name of the work.
   */
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown, R>) | undefined
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A registry of shielded work.
 *
 * **When to use**: for what has to be completed once it has begun: saving, paying, handing something back. For work whose caller does not
 * wait for it in the first place, use `Background`.
 *
 * **Details**: `shield` and `critical` do the work in a fiber of its own, with the services of the caller, where no interruption from
 * outside reaches it. Closing waits for all of it; while it waits, work may still be added. Once it is closed, adding fails with
 * `ShieldClosed`.
 *
 * **Interruption**: `shield` lets the caller go at once; `critical` when the work has ended. What the work fails with afterwards is
 * reported, once. In a region that cannot be interrupted, such as a finalizer, nobody can be let go, and `shield` is `critical`: shield
 * the work itself, rather than begin it when the interruption is there.
 *
 * @example
 * import { Shield } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const shield = yield* Shield.make({ deadline: "10 seconds" })
 *   const save = Effect.zipRight(
 *     Effect.sleep(5),
 *     Effect.sync(() => log.push("saved"))
 *   )
 *   const caller = yield* Effect.fork(shield.shield(save, { name: "save" }))
 *   yield* Effect.yieldNow()
 *   yield* Fiber.interrupt(caller)
 *   log.push("the caller has gone")
 *   yield* shield.close
 *   return log
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => [ 'the caller has gone', 'saved' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Shield {
  readonly [TypeId]: core.State
  /** Reports for plain code. */
  readonly reportPlain: (failure: { readonly error: unknown } & Omit<Unhandled, "cause">) => Promise<unknown>

  /** Does the work also when the caller is interrupted, who need not wait for it then. */
  shield<A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E | ShieldClosed, R>

  /** Does the work also when the caller is interrupted, who then waits for its end. */
  critical<A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E | ShieldClosed, R>

  /**
   * Waits until there is no shielded work, and every failure is reported. From within shielded work it is a defect, since it would never end.
   * (A fiber that it has forked may wait.)
   */
  readonly awaitEmpty: Effect.Effect<void>

  /**
   * Waits for the work, until the deadline, and closes the shield. What has not ended is reported, once; its names are the result, with
   * those of failures that `onError` has not dealt with by then, which are logged. From within shielded work it is a defect: that cannot wait
   * for its own end. The shield is closed all the same.
   */
  readonly close: Effect.Effect<ReadonlyArray<string>>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

class ShieldImpl implements Shield {
  readonly [TypeId]: core.State
  readonly reportPlain: Shield["reportPlain"]
  private readonly insiders: Insiders = new Map()

  constructor(
    state: core.State,
    private readonly report: Report,
    run: (effect: Effect.Effect<unknown>) => Promise<unknown>
  ) {
    this[TypeId] = state
    this.reportPlain = ({ error, ...rest }) =>
      run(report({ ...rest, cause: error === undefined ? Cause.empty : Cause.fail(error) }))
  }

  readonly shield = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: WorkOptions = {}
  ): Effect.Effect<A, E | ShieldClosed, R> =>
    this.protect("Shield.shield", effect, options, (restore, settlement) => restore(settlement))

  readonly critical = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: WorkOptions = {}
  ): Effect.Effect<A, E | ShieldClosed, R> =>
    this.protect("Shield.critical", effect, options, (restore, settlement) =>
      // The second step is where an interruption that came meanwhile is delivered.
      Effect.flatMap(settlement, () => restore(Effect.void))
    )

  private protect<A, E, R>(
    where: string,
    effect: Effect.Effect<A, E, R>,
    options: WorkOptions,
    wait: (restore: Restore, settlement: Effect.Effect<void>) => Effect.Effect<void>
  ): Effect.Effect<A, E | ShieldClosed, R> {
    return Effect.uninterruptibleMask((restore): Effect.Effect<A, E | ShieldClosed, R> => {
      const { name } = record(where, options)
      if (!Effect.isEffect(effect)) throw refusal(where, "effect", "an effect", effect)
      expect(name === undefined || typeof name === "string", where, "name", "a string", name)
      const work = core.makeWork(name)
      const refused = core.add(this[TypeId], work)
      if (refused) return Effect.fail(refused)
      const ticket = new FiberTicket<undefined, core.End<Exit.Exit<A, E>>>(undefined, 0, "shielded work to end")
      core.wait(work, ticket)
      return Effect.flatMap(this.fork(work, restore(effect)), (fiber) =>
        Effect.matchCauseEffect(wait(restore, ticket.settlement), {
          onFailure: (cause) => {
            core.leave(work, ticket)
            return Effect.zipRight(this.reportLate(work), Effect.failCause(cause))
          },
          onSuccess: () => {
            wake(core.take(this[TypeId], work))
            return Effect.zipRight(inheritFrom(fiber), ticket.result!.account)
          }
        })
      )
    })
  }

  /** The work, in a fiber that begins uninterruptible, so that its end is noted in any case. */
  private fork<A, E, R>(work: core.Work, effect: Effect.Effect<A, E, R>): Effect.Effect<RunningFiber<A, E>, never, R> {
    return forkDetached(
      withFiber((fiber: RunningFiber<A, E>) => {
        this.insiders.set(fiber, work)
        return Effect.flatMap(Effect.exit(effect), (exit) => {
          const failed = exit._tag === "Failure" && !isInterruptedOnly(exit.cause)
          const error = failed ? Cause.squash(exit.cause) : undefined
          wake(core.end(this[TypeId], work, { failed, error, account: exit }))
          const over = (): Exit.Exit<A, E> => {
            this.insiders.delete(fiber)
            return exit
          }
          return failed ? Effect.flatMap(this.reportLate(work), over) : over()
        })
      })
    )
  }

  private reportLate(work: core.Work): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (core.late(work) === undefined) return Effect.void
      let reporting: AnyFiber | undefined
      const begun = (fiber: AnyFiber) => void this.insiders.set((reporting = fiber), work)
      const told = Effect.sync(() => {
        if (reporting !== undefined) this.insiders.delete(reporting)
        wake(core.told(this[TypeId], work))
      })
      return Effect.ensuring(this.report(unheard(work), begun), told)
    })
  }

  get awaitEmpty(): Effect.Effect<void> {
    return withFiber((fiber) =>
      this.isInside(fiber) ? Effect.die(misuse("Shield.awaitEmpty", core.itself)) : this.emptied
    )
  }

  get close(): Effect.Effect<ReadonlyArray<string>> {
    return withFiber((fiber) =>
      this.isInside(fiber)
        ? Effect.zipRight(forkDetached(this.closed), Effect.die(misuse("Shield.close", core.itself)))
        : this.closed
    )
  }

  private isInside(fiber: AnyFiber): boolean {
    return isInside(this.insiders, fiber, this[TypeId].works)
  }

  private get emptied(): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore) => {
      const { works } = this[TypeId]
      const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "shielded work to end")
      wake(running.enqueue(works, ticket))
      return park(
        restore,
        ticket,
        () => running.cancel(works, ticket),
        () => Effect.void
      )
    })
  }

  private get closed(): Effect.Effect<ReadonlyArray<string>> {
    return Effect.suspend(() => {
      const state = this[TypeId]
      core.beginClose(state)
      // In a finalizer, too, the wait can be given up.
      return Effect.flatMap(within(state.deadline, this.emptied), () => {
        const left = core.close(state)
        wake(left.chain)
        const logged = Effect.forEach(left.overdue, (work) => overdue(unheard(work)), { discard: true })
        if (left.message === undefined) return Effect.as(logged, left.names)
        const failure = { where: "Shield.close", name: undefined, message: left.message, cause: Cause.empty }
        const told = left.overdue.length > 0 ? log(failure) : reportWithin(state.deadline, this.report, failure)
        return Effect.as(Effect.zipRight(logged, told), left.names)
      })
    })
  }

  get stats(): Effect.Effect<Stats> {
    return Effect.sync(() => core.stats(this[TypeId]))
  }
}

const unheard = ({ end, name }: core.Work): Unhandled => ({
  where: "Shield",
  name,
  message: core.unheard,
  // The work of a function has none.
  cause: (end!.account as Partial<Exit.Failure<never, unknown>>).cause ?? Cause.fail(end!.error)
})

const checked = ({ deadline, onError }: Options<any>): core.State => {
  const where = "Shield.make"
  if (onError !== undefined) callable(where, "onError", onError)
  return core.make(where, { deadline: deadline === undefined ? undefined : milliseconds(where, "deadline", deadline) })
}

/** Work that no shield was made for: nobody waits for it when the program ends. It is never closed. */
const daemon = new ShieldImpl(core.make("Shield.shield"), report, runPlain)

/**
 * Does the work also when the caller is interrupted, who need not wait for it then.
 *
 * **When to use**: for what has to be completed once it has begun, in a program that goes on. That the program's end waits for it as well
 * takes a `Shield.Service`.
 *
 * **Details**: the work runs in a fiber of its own, from the next turn on, with the services of the caller, who gets what the work gives or
 * fails with. Where the caller cannot be interrupted, neither can what is inside. Whoever is interrupted before has started nothing.
 *
 * **Interruption**: the caller goes on at once, and the work goes on. If it fails then, that is reported, once: logged at error level.
 *
 * @example
 * import { Shield } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const save = Effect.zipRight(
 *     Effect.sleep(5),
 *     Effect.sync(() => log.push("saved"))
 *   )
 *   const caller = yield* Effect.fork(Shield.shield(save))
 *   yield* Effect.yieldNow()
 *   yield* Fiber.interrupt(caller)
 *   log.push("the caller has gone")
 *   yield* Effect.sleep(50)
 *   return log
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 'the caller has gone', 'saved' ]
 *
 * @see Shield.critical to have the caller wait
 * @since 0.1.0
 * @category operations
 */
export const shield = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E, R> =>
  daemon.shield(effect, options) as Effect.Effect<A, E, R>

/**
 * Does the work also when the caller is interrupted, who waits for its end and is interrupted then.
 *
 * **When to use**: for what nobody should overtake: whoever waits for the caller's end may rely on the work being done. Other than within
 * `Effect.uninterruptible`, a timeout inside the work works.
 *
 * **Details**: the work runs in a fiber of its own, from the next turn on, with the services of the caller.
 *
 * **Interruption**: delivered when the work has ended. A failure of the work is then nobody's, and reported, once.
 *
 * @example
 * import { Shield } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const save = Effect.zipRight(
 *     Effect.sleep(5),
 *     Effect.sync(() => log.push("saved"))
 *   )
 *   const caller = yield* Effect.fork(Shield.critical(save))
 *   yield* Effect.yieldNow()
 *   yield* Fiber.interrupt(caller)
 *   log.push("the caller has gone")
 *   return log
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ 'saved', 'the caller has gone' ]
 *
 * @see Shield.shield to let the caller go at once
 * @since 0.1.0
 * @category operations
 */
export const critical = <A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E, R> =>
  daemon.critical(effect, options) as Effect.Effect<A, E, R>

/**
 * Makes a shield, without an effect around it. Nobody closes it but who calls `close`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe = (options: Options = {}): Shield => {
  const state = checked(record("Shield.make", options))
  return new ShieldImpl(state, reporter("Shield.onError", options.onError), runPlain)
}

/**
 * Makes a shield, which is closed with the scope. What `onError` needs is taken from where the shield is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <R = never>(options: Options<R> = {}): Effect.Effect<Shield, never, R | Scope.Scope> =>
  Effect.flatMap(Effect.context<R>(), (context) =>
    Effect.flatMap(runner, (run) => {
      const state = checked(record("Shield.make", options))
      const { onError } = options
      const provided = onError && ((failure: Unhandled) => Effect.provide(onError(failure), context))
      return Effect.acquireRelease(
        Effect.sync((): Shield => new ShieldImpl(state, reporter("Shield.onError", provided), run)),
        (shield) => shield.close
      )
    })
  )

/**
 * Waits until there is no shielded work. See {@link Shield}.
 *
 * @since 0.1.0
 * @category operations
 */
export const awaitEmpty = (self: Shield): Effect.Effect<void> => self.awaitEmpty

/**
 * Waits for the work, until the deadline, and closes the shield. See {@link Shield}.
 *
 * @since 0.1.0
 * @category operations
 */
export const close = (self: Shield): Effect.Effect<ReadonlyArray<string>> => self.close

/**
 * A frozen snapshot. See {@link Shield}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = (self: Shield): Effect.Effect<Stats> => self.stats

/**
 * A service class: a tag, its layer, and the operations of a `Shield` on whichever one is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<Self, Id extends string, E = never, R = never> extends service.ServiceClass<
  Self,
  Id,
  Shield,
  E,
  R
> {
  shield<A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E | ShieldClosed, R | Self>
  critical<A, E, R>(effect: Effect.Effect<A, E, R>, options?: WorkOptions): Effect.Effect<A, E | ShieldClosed, R | Self>
  readonly awaitEmpty: Effect.Effect<void, never, Self>
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A shield as a service: closing its layer waits for the work, so that the end of the program does not cut what had to be completed.
 *
 * @example
 * import { Shield } from "effect-concurrency"
 * import { Effect, Fiber } from "effect"
 *
 * class Saves extends Shield.Service<Saves>()("app/Saves", { deadline: "10 seconds" }) {}
 *
 * const log: Array<string> = []
 * const save = Effect.zipRight(
 *   Effect.sleep(5),
 *   Effect.sync(() => log.push("saved"))
 * )
 * const main = Effect.runFork(Saves.shield(save, { name: "the report" }).pipe(Effect.provide(Saves.layer)))
 * await new Promise((resolve) => setTimeout(resolve))
 * await Effect.runPromise(Fiber.interrupt(main)) // Ctrl-C
 *
 * console.log(log) // => [ 'saved' ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service =
  <Self>() =>
  <const Id extends string, OnErrorR = never, E = never, R = never>(
    id: Id,
    options: service.Options<Options<OnErrorR>, E, R> = {}
  ): ServiceClass<Self, Id, E, Exclude<R, Scope.Scope> | OnErrorR> =>
    service.make(
      id,
      Effect.flatMap(service.options(options), (options) => make(options)),
      { properties: ["awaitEmpty", "close", "stats"], methods: ["shield", "critical"] }
    )
