/**
 * What debounce and throttle are made of among effects.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import { callable } from "../core/arguments.js"
import { Pacer, type Runner } from "../core/pacer.js"
import type { End, Flush, Options, Run, Stats } from "../core/pacing.js"
import * as core from "../core/pacing.js"
import { wake } from "../core/ticket.js"
import type { Time } from "../core/timekeeper.js"
import { currentFiber, isInterruptedOnly, laterForker, runLater } from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { reporter, type Unhandled } from "./report.js"
import { liveTimekeeper, timekeeper } from "./timer.js"

/** What is done with a run of which nobody hears, and what calls belong together. */
export interface Hooks<Args extends ReadonlyArray<any>, R> {
  readonly key?: ((...args: Args) => unknown) | undefined
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown, R>) | undefined
}

type Fork<R> = (effect: Effect.Effect<unknown, never, R>) => void

/** The instance, under whichever type id. */
export class Paced<Args extends ReadonlyArray<unknown>, A, E, X> {
  readonly flush: Effect.Effect<void>
  readonly cancel: Effect.Effect<number>
  readonly pending: Effect.Effect<number>
  readonly stats: Effect.Effect<Stats>
  readonly close: Effect.Effect<void>
  private readonly where: string

  constructor(private readonly pacer: Pacer) {
    const { kind } = pacer.state
    this.where = `${kind}.call`
    this.flush = finished(() => pacer.flush(`${kind}.flush`))
    this.cancel = Effect.sync(() => pacer.cancel())
    this.pending = Effect.sync(() => core.pending(pacer.state))
    this.stats = Effect.sync(() => core.stats(pacer.state))
    this.close = finished(() => pacer.close(`${kind}.close`))
  }

  readonly call = (...args: Args): Effect.Effect<A, E | X> =>
    Effect.uninterruptibleMask((restore): Effect.Effect<A, E | X> => {
      const { pacer } = this
      const run = pacer.call(args, this.where)
      if (run === undefined) return Effect.fail(core.cancellation(pacer.state, "closed") as X)
      const ticket = new FiberTicket<Run, End>(run, 0, `a run of a ${pacer.state.kind.toLowerCase()}`)
      wake(core.wait(run, ticket))
      return park(restore, ticket, () => pacer.leave(run, ticket), outcome<A, E | X>)
    })

  readonly trigger = (...args: Args): Effect.Effect<boolean> => Effect.sync(() => this.pacer.call(args) !== undefined)

  readonly flushKey = (key: unknown): Effect.Effect<void> =>
    finished(() => this.pacer.flush(`${this.pacer.state.kind}.flushKey`, key))

  readonly cancelKey = (key: unknown): Effect.Effect<number> => Effect.sync(() => this.pacer.cancel(key))
}

/** What a caller gets: how the run has ended, or the error of those that are dropped. */
const outcome = <A, E>({ account, value }: End): Effect.Effect<A, E> =>
  (account as Exit.Exit<A, E> | undefined) ?? Effect.fail(value as E)

/** Waits until what was flushed has ended. It may be interrupted; what runs does not notice. */
const finished = (begin: () => Flush): Effect.Effect<void> =>
  Effect.uninterruptibleMask((restore) => {
    const flush = begin()
    const ticket = new FiberTicket<Flush, undefined>(flush, 0, "what was flushed")
    wake(core.awaitFlush(flush, ticket))
    return park(
      restore,
      ticket,
      () => core.leaveFlush(flush),
      () => Effect.void
    )
  })

/** Runs the function in a fiber of its own, which no caller interrupts. */
class FiberRunner<R> implements Runner {
  declare pacer: Pacer

  constructor(
    private readonly where: string,
    private readonly name: string | undefined,
    private readonly f: (...args: ReadonlyArray<any>) => Effect.Effect<unknown, unknown, R>,
    private readonly fork: Fork<R>,
    private readonly tell: (failure: Unhandled) => Effect.Effect<void, never, R>
  ) {}

  start(run: Run): void {
    const { args } = run
    const work = Effect.suspend(() => {
      run.worker = currentFiber()
      this.pacer.begun(run)
      return this.f(...args)
    })
    // It begins uninterruptible, so that its end is noted in any case.
    this.fork(
      Effect.uninterruptible(
        Effect.map(Effect.exit(Effect.interruptible(work)), (exit) => {
          run.worker = undefined
          this.pacer.ended(run, endOf(exit))
        })
      )
    )
  }

  isInside({ worker }: Run): boolean {
    return worker !== undefined && worker === currentFiber()
  }

  report({ account }: End, told: () => void): void {
    const { cause } = account as Exit.Failure<never, unknown>
    if (isInterruptedOnly(cause)) return told()
    const { name, where } = this
    this.fork(Effect.ensuring(this.tell({ where, name, message: core.unheard, cause }), Effect.sync(told)))
  }
}

const endOf = (exit: Exit.Exit<unknown, unknown>): End =>
  exit._tag === "Success"
    ? { failed: false, value: exit.value, account: exit }
    : { failed: true, value: Cause.squash(exit.cause), account: exit }

/** Makes a pacer. The options are checked before anything begins. */
const pacerOf = <Args extends ReadonlyArray<any>, R>(
  where: string,
  kind: core.Kind,
  f: (...args: Args) => Effect.Effect<unknown, unknown, R>,
  options: Options,
  { key, onError }: Hooks<Args, R>,
  time: () => Time,
  fork: Fork<R>,
  provide: <A, E>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E>
): Pacer => {
  callable(where, "function", f)
  if (key !== undefined) callable(where, "key", key)
  if (onError !== undefined) callable(where, "onError", onError)
  const state = core.make(where, kind, options)
  const provided = onError && ((failure: Unhandled) => provide(Effect.suspend(() => onError(failure))))
  const runner = new FiberRunner<R>(kind, state.name, f as any, fork, reporter(`${kind}.onError`, provided))
  const pacer = new Pacer(state, time(), key as any, runner)
  runner.pacer = pacer
  return pacer
}

/** Without an effect around it: on the platform's clock. */
export const makeUnsafe = <Args extends ReadonlyArray<any>>(
  kind: core.Kind,
  f: (...args: Args) => Effect.Effect<unknown, unknown>,
  options: () => Options,
  hooks: Hooks<Args, never>
): Pacer => pacerOf(`${kind}.make`, kind, f, options(), hooks, liveTimekeeper, runLater, (effect) => effect)

/** On the clock and with the services of where it is made; closed with the scope. */
export const make = <Args extends ReadonlyArray<any>, R, Self extends { readonly close: Effect.Effect<void> }>(
  kind: core.Kind,
  f: (...args: Args) => Effect.Effect<unknown, unknown, R>,
  options: () => Options,
  hooks: () => Hooks<Args, R>,
  wrap: (pacer: Pacer) => Self
): Effect.Effect<Self, never, R | Scope.Scope> =>
  Effect.flatMap(Effect.all([Effect.context<R>(), laterForker<R>(), timekeeper]), ([context, fork, time]) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        wrap(
          pacerOf(
            `${kind}.make`,
            kind,
            f,
            options(),
            hooks(),
            () => time,
            fork,
            (effect) => Effect.provide(effect, context)
          )
        )
      ),
      ({ close }) => close
    )
  )
