/**
 * Running an effect as a task: what `Task` and `Background` start.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import { callable, expect, misuse, record, refusal } from "../core/arguments.js"
import type { Failure, Outcome, State } from "../core/task.js"
import * as core from "../core/task.js"
import type { Chain } from "../core/ticket.js"
import { concat, wake } from "../core/ticket.js"
import { milliseconds, within } from "./duration.js"
import {
  type AnyFiber,
  catchCause,
  forkDetached,
  inheritFrom,
  interruptNow,
  isInterruptedOnly,
  laterForker,
  runPlain,
  withFiber,
  yieldNow
} from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { report, type Unhandled } from "./report.js"

/** Who does the work. */
class Worker extends FiberTicket<undefined, core.Stop> {
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined

  constructor() {
    super(undefined, 0, "nothing: it is the worker of a task")
  }

  /** It is told to stop. Before its first step there is nothing to interrupt: it looks for itself. */
  override wake(): void {
    if (this.fiber !== undefined) interruptNow(this.fiber, this.fiber)
  }
}

/** What those want to know who start a task. */
export interface Hooks {
  /** It has ended; whether it has failed, in which case `reported` comes once it is known whose failure that is. */
  readonly ended: (failed: boolean) => Chain
  readonly reported: () => Chain
  /** Whoever had the failure has left it behind: it is to be reported, and `reported` comes once more. */
  readonly unclaimed: () => void
  readonly report: (failure: Failure) => Effect.Effect<void>
}

/**
 * Starts an effect as a task that outlives whoever starts it. For uninterruptible regions, so that nobody is interrupted between its start
 * and what comes of it; and the fiber begins uninterruptible then, so that however the effect ends, and be it before its first step, the end is
 * noted.
 *
 * `T` is the task as the modules show it to users.
 */
export const launch = <T, A, E, R>(
  state: State<A>,
  effect: Effect.Effect<A, E, R>,
  hooks: Hooks
): Effect.Effect<T, never, R> => {
  const worker = new Worker()
  const end = (outcome: Outcome<A>, failed: boolean) => wake(concat(core.end(state, outcome), hooks.ended(failed)))
  const run = withFiber((fiber: Fiber.RuntimeFiber<void>): Effect.Effect<void, never, R> => {
    if (state.stop !== undefined) return Effect.succeed(end(core.cancelled(state), false))
    worker.fiber = fiber
    return Effect.matchCauseEffect(Effect.interruptible(effect), {
      onSuccess: (value) => Effect.succeed(end({ _tag: "Success", value }, false)),
      onFailure: (cause) => {
        const failed = !isInterruptedOnly(cause)
        end(outcomeOf(state, cause), failed)
        return failed ? reportLater(state, hooks) : Effect.void
      }
    })
  })
  wake(core.onStop(state, worker))
  return Effect.as(forkDetached(run), new Task(state, worker) as T)
}

/**
 * Reports a failure, unless somebody has asked for it by the next turn. Should all who have asked leave it behind, it is looked after again; in
 * the very step in which they do, so that nobody takes everything for reported.
 */
const reportLater = (state: State, hooks: Hooks): Effect.Effect<void> =>
  Effect.flatMap(yieldNow, () => {
    const failure = core.unhandled(state)
    if (failure !== undefined) return Effect.map(hooks.report(failure), () => wake(hooks.reported()))
    return Effect.map(laterForker<never>(), (fork) => {
      wake(hooks.reported())
      const again = () => {
        hooks.unclaimed()
        fork(reportLater(state, hooks))
      }
      wake(core.reportLate(state, new Call(undefined, "a failure that is nobody's", again)))
    })
  })

/** Who does something with the result of a ticket that nobody waits for. */
class Call<Request, Result> extends FiberTicket<Request, Result> {
  constructor(
    request: Request,
    what: string,
    private readonly call: (result: Result) => void
  ) {
    super(request, 0, what)
  }

  override wake(): void {
    this.call(this.result!)
  }
}

/** Watches a task. It is called with the outcome at once when that is there. */
export const watch = (state: State, ended: (outcome: Outcome) => void): core.Watch => {
  const watch = new core.Watch(state, new Call(true, "the end of a task", ended))
  wake(watch.begin())
  return watch
}

/** What became of work that did not succeed. */
export const outcomeOf = (state: State, cause: Cause.Cause<unknown>): Outcome<never> =>
  isInterruptedOnly(cause) ? core.cancelled(state) : { _tag: "Failure", error: Cause.squash(cause), cause }

/** Checks what a task is made of; gives its state. */
export const prepare = (where: string, effect: unknown, options: { readonly name?: string | undefined }): State => {
  const { name } = record(where, options)
  if (!Effect.isEffect(effect)) throw refusal(where, "effect", "an effect", effect)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  return core.make(name)
}

/**
 * Waits until a task has ended, for one who asks for the outcome or for one who only waits, and makes something of it. That is a part of
 * the step that ends the wait: an interruption does not come between a failure and whoever hears of it.
 */
export const ended = <A, B, E>(
  state: State<A>,
  asks: boolean,
  f: (outcome: Outcome<A>) => Effect.Effect<B, E>
): Effect.Effect<B, E> =>
  Effect.uninterruptibleMask((restore) => {
    if (state.outcome !== undefined) {
      if (asks) core.observe(state)
      return f(state.outcome)
    }
    const ticket = new FiberTicket<boolean, Outcome<A>>(asks, 0, "the end of a task")
    wake(core.enqueue(state, ticket))
    return park(restore, ticket, () => core.leave(state, ticket), f)
  })

/** Whether a fiber does the work of a task. */
export const runsIn = (task: unknown, fiber: AnyFiber): boolean => (task as Task<unknown, unknown>).runsIn(fiber)

/** The handle. Its effects are made when they are asked for: most tasks are asked for few of them. */
class Task<out A, out E> {
  readonly [core.TypeId]: State<A>

  constructor(
    state: State<A>,
    private readonly worker: Worker
  ) {
    this[core.TypeId] = state
  }

  /** Whether a fiber is the one that does the work. */
  runsIn(fiber: AnyFiber): boolean {
    return this[core.TypeId].outcome === undefined && fiber === this.worker.fiber
  }

  /** Reports for plain code, which has a view of the task, to whom the task itself would. */
  get reporter(): (failure: { readonly error: unknown } & Omit<Unhandled, "cause">) => Promise<unknown> {
    return ({ error, ...rest }) => {
      const { fiber } = this.worker
      const told = report({ ...rest, cause: error === undefined ? Cause.empty : Cause.fail(error) })
      return runPlain(fiber === undefined ? told : Effect.zipRight(inheritFrom(fiber), told))
    }
  }

  get name(): string | undefined {
    return this[core.TypeId].name
  }

  get await(): Effect.Effect<A, E | core.TaskCancelled> {
    const state = this[core.TypeId]
    return withFiber((fiber) => {
      if (this.runsIn(fiber)) return Effect.die(misuse("Task.await", core.itself))
      return ended(state, true, (outcome) => exitOf<A, E>(state, outcome))
    })
  }

  get poll(): Effect.Effect<Outcome<A> | core.Pending> {
    return Effect.sync(() => this[core.TypeId].outcome ?? core.pending)
  }

  cancel(
    options: { readonly grace?: Duration.DurationInput | undefined; readonly reason?: unknown } = {}
  ): Effect.Effect<boolean> {
    const state = this[core.TypeId]
    return withFiber((fiber) => {
      const { grace, reason } = record("Task.cancel", options)
      const limit = grace === undefined ? Infinity : milliseconds("Task.cancel", "grace", grace)
      if (!cancelNow(state, reason)) return succeedFalse
      if (this.runsIn(fiber)) return succeedTrue
      const overdue = {
        where: "Task.cancel",
        name: state.name,
        message: `its cleanup has not ended ${limit} ms after it was cancelled`,
        cause: Cause.empty
      }
      return Effect.flatMap(
        within(
          limit,
          ended(state, false, () => Effect.void)
        ),
        (inTime) => (inTime ? succeedTrue : Effect.as(report(overdue), true))
      )
    })
  }

  get cancelNow(): Effect.Effect<boolean> {
    return Effect.sync(() => cancelNow(this[core.TypeId], undefined))
  }

  onComplete<R = never>(
    callback: (outcome: Outcome<A>) => Effect.Effect<unknown, unknown, R> | void
  ): Effect.Effect<{ readonly remove: Effect.Effect<boolean> }, never, R> {
    const state = this[core.TypeId]
    return Effect.suspend(() => {
      callable("Task.onComplete", "callback", callback)
      return Effect.map(laterForker<R>(), (fork) => {
        // Its fiber is started when its turn has come, so that callbacks start in order.
        const ticket = new Call<boolean, Outcome<A>>(true, "the end of a task", (outcome) =>
          fork(call(state.name, callback, outcome))
        )
        wake(core.enqueue(state, ticket))
        const remove = Effect.sync(() => {
          const inTime = ticket.lane !== undefined
          if (inTime) core.leave(state, ticket)
          return inTime
        })
        return { remove }
      })
    })
  }
}

/** Calls a callback; reports its failure. It may be interrupted inside, wherever it was registered. */
const call = <A, R>(
  name: string | undefined,
  callback: (outcome: Outcome<A>) => Effect.Effect<unknown, unknown, R> | void,
  outcome: Outcome<A>
): Effect.Effect<unknown, never, R> =>
  catchCause(
    Effect.interruptible(
      Effect.suspend(() => {
        const result: unknown = callback(outcome)
        return Effect.isEffect(result) ? (result as Effect.Effect<unknown, unknown, R>) : Effect.void
      })
    ),
    (cause) =>
      isInterruptedOnly(cause)
        ? Effect.void
        : report({ where: "Task.onComplete", name, message: "a callback failed", cause })
  )

const succeedTrue = Effect.succeed(true)
const succeedFalse = Effect.succeed(false)

/** Tells a task to stop; says whether it was running. A failure of one that has ended is not reported any more: somebody has looked. */
const cancelNow = (state: core.State, reason: unknown): boolean => {
  if (state.outcome !== undefined) {
    core.observe(state)
    return false
  }
  wake(core.stop(state, reason))
  return true
}

/** What whoever waits for a task gets. */
export const exitOf = <A, E>(state: core.State<A>, outcome: core.Outcome<A>): Exit.Exit<A, E | core.TaskCancelled> => {
  switch (outcome._tag) {
    case "Success":
      return Exit.succeed(outcome.value)
    case "Failure":
      return Exit.failCause(outcome.cause as Cause.Cause<E>)
    default:
      return Exit.fail(new core.TaskCancelled(state.name, outcome.reason))
  }
}
