/**
 * Work in the background: a registry of tasks that nobody may lose sight of.
 *
 * It corresponds to what Python's documentation has everybody write around `asyncio.create_task`: a set that holds the tasks, a callback
 * that takes them out, and another that reports what failed. The differences: a task is gone from the registry in the step in which it
 * ends, not a turn later; a failure is reported then, and not when garbage is collected; and waiting for a task that was cancelled does not
 * swallow the cancellation of who waits.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { callable, misuse, record } from "./core/arguments.js"
import * as core from "./core/background.js"
import { BackgroundClosed, BackgroundFull } from "./core/background.js"
import * as running from "./core/running.js"
import type { TaskCancelled } from "./core/task.js"
import * as tasks from "./core/task.js"
import { type Chain, concat, wake } from "./core/ticket.js"
import { milliseconds, within } from "./internal/duration.js"
import { type AnyFiber, forkDetached, type RunningFiber, runner, runPlain, withFiber } from "./internal/effect.js"
import { type Insiders, isInside } from "./internal/insiders.js"
import { FiberTicket, park, type Restore } from "./internal/park.js"
import { hold } from "./internal/permits.js"
import {
  describe as lineOf,
  log,
  overdue,
  type Report,
  reporter,
  reportWithin,
  type Unhandled
} from "./internal/report.js"
import * as service from "./internal/service.js"
import { ended, exitOf, type Hooks, launch, outcomeOf, prepare } from "./internal/task.js"
import { forget, work, Worker } from "./internal/worker.js"
import type * as Task from "./Task.js"

export {
  /**
   * The registry is closed: nothing can be started there any more.
   *
   * @since 0.1.0
   * @category errors
   */
  BackgroundClosed,
  /**
   * As many tasks run as may, and as many wait as may.
   *
   * @since 0.1.0
   * @category errors
   */
  BackgroundFull
}

export type {
  /**
   * What is reported: which task, what happened to it, and why.
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
 * How a registry is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options<R = never> {
  /** How many tasks run at a time: an integer, 1 or more. Others wait for their turn, in order of their start. Default: all that there are. */
  readonly concurrency?: number | undefined
  /**
   * How many tasks may wait for their turn: an integer, 0 or more, or Infinity. One more is refused with `BackgroundFull`. It needs a
   * concurrency. Default: any number.
   */
  readonly backlog?: number | undefined
  /**
   * Where failures go that nobody waits for, once each. What it does is not waited for by whoever started the task, but `awaitEmpty` and
   * `close` wait for it: `close` no longer than `deadline` and `grace` say, and then logs the failure. It runs in a fiber of its own, so a
   * timeout in it works. Should it fail, or interrupt itself, that is logged, and the failure with it. It must not wait for the registry,
   * which waits for it. Default: logs at error level, with the name of the task.
   */
  readonly onError?: ((failure: Unhandled) => Effect.Effect<unknown, unknown, R>) | undefined
  /** What closing does to the tasks: `"interrupt"`, the default, cancels them all at once; `"drain"` lets them end first. */
  readonly onClose?: core.OnClose | undefined
  /**
   * How long a closing that drains waits for the tasks. What has not ended then is cancelled, and reported by name. Default: as long as
   * it takes.
   */
  readonly deadline?: Duration.DurationInput | undefined
  /**
   * How long closing waits for the cleanup of the tasks that it cancelled. What has not ended then is left behind, and reported by name.
   * Default: as long as it takes.
   */
  readonly grace?: Duration.DurationInput | undefined
}

/**
 * A frozen snapshot.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stats extends core.Stats {}

/**
 * A registry of tasks in the background.
 *
 * **When to use**: for work that nobody waits for where it is started, and that must neither be lost, nor fail unseen, nor outlive the
 * program: writing a log, sending a mail, filling a cache. For several pieces of one piece of work, that fail together, use a task group.
 *
 * **Details**: a task runs with the services of whoever starts it, from the next turn on. The registry holds it until it has ended. A
 * failure goes to `onError`, unless somebody waits for the task or has registered a callback by the turn after it; what was cancelled is no
 * failure. A race of `Wait` has a failure as long as it goes on, and neither `awaitEmpty` nor `close` waits for that; what it leaves behind goes
 * to `onError` then, and is waited for from then on. `BackgroundFull` is in the types of a registry with a `backlog` only.
 *
 * **Interruption**: whoever starts a task may be interrupted, and the task goes on; whoever `run`s one takes it along. `cancelAll` and `close`
 * have cancelled also when they are interrupted while they wait; only a `close` that drains has not, and leaves a registry that is closed, and
 * tasks that go on.
 *
 * **Fairness**: with a concurrency, tasks run in order of their start.
 *
 * @example
 * import { Background } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const failures: Array<string> = []
 *   const background = yield* Background.make({
 *     concurrency: 2,
 *     onError: ({ name, cause }) => Effect.sync(() => failures.push(`${name}: ${cause.toString()}`))
 *   })
 *   yield* background.fireAndForget(Effect.fail("no route"), { name: "send mail" })
 *   const task = yield* background.start(Effect.succeed(42))
 *   const answer = yield* task.await
 *   yield* background.awaitEmpty
 *   return [answer, ...failures]
 * })
 *
 * console.log(await Effect.runPromise(Effect.scoped(program))) // => [ 42, 'send mail: Error: no route' ]
 *
 * @since 0.1.0
 * @category models
 */
export interface Background<out Full = never> {
  readonly [TypeId]: core.State & { readonly _Full?: () => Full }
  /** Reports for plain code. */
  readonly reportPlain: (failure: { readonly error: unknown } & Omit<Unhandled, "cause">) => Promise<unknown>

  /** Starts an effect as a task of the registry. */
  start<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ): Effect.Effect<Task.Task<A, E>, BackgroundClosed | Full, R>

  /**
   * Starts an effect as a task of the registry, if that is open and has room; gives none where `start` would fail. There is room as long as
   * `backlog` lets one more wait for its turn: for "now or not at all", that is 0.
   */
  tryStart<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ): Effect.Effect<Option.Option<Task.Task<A, E>>, never, R>

  /** Starts an effect that nobody waits for. */
  fireAndForget<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ): Effect.Effect<void, BackgroundClosed | Full, R>

  /**
   * Runs an effect as a task of the registry, and gives what it gives. A caller who is interrupted cancels the task, and waits for its
   * cleanup; for work that outlives its caller there is `start`. When somebody else cancels the task, the caller fails with `TaskCancelled`.
   * Inside a task of the same registry it needs a turn beside that of its caller: with a concurrency, both may wait for ever.
   */
  run<A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ): Effect.Effect<A, E | TaskCancelled | BackgroundClosed | Full, R>

  /** How many tasks have not ended. */
  readonly size: Effect.Effect<number>

  /**
   * Waits until every task has ended and every failure is reported. From within one of the tasks it is a defect, since it would never end.
   * (A fiber that a task has forked may wait.)
   */
  readonly awaitEmpty: Effect.Effect<void>

  /**
   * Cancels the tasks that there are, all at once, and waits until they have cleaned up. Gives how many there were. From within one of the
   * tasks it does not wait, as that one is cancelled, too.
   */
  readonly cancelAll: Effect.Effect<number>

  /**
   * Closes the registry, as its options say, and gives the names of the tasks that it gave up: those that a draining had to cancel, those
   * whose cleanup it did not wait for, and those whose failure `onError` has not dealt with in time, which is logged instead. From here on
   * `start` fails with `BackgroundClosed`. Several may close it: each waits as long as the options say, and what is given up is reported
   * once. From within one of the tasks it is a defect: that task cannot wait for its own end. The registry is closed all the same.
   *
   * Reports do not keep it open: while they are all that is left they have the shorter of `deadline` and `grace`, and what was to be told
   * while it drained has had its time at the deadline. An `onError` that never ends is left alone, and what it should have told is logged.
   */
  readonly close: Effect.Effect<ReadonlyArray<string>>

  /** A frozen snapshot. */
  readonly stats: Effect.Effect<Stats>
}

/** A task in the registry, and what that has to know of it. */
class Entry extends Worker<tasks.Stop> implements core.Entry, Hooks {
  readonly limited = true

  constructor(
    private readonly registry: BackgroundImpl,
    readonly task: tasks.State
  ) {
    super(task.name)
  }

  ended(failed: boolean): Chain {
    if (!failed) this.registry.forget(this)
    return core.remove(this.registry[TypeId], this, failed)
  }

  reported(): Chain {
    this.registry.forget(this)
    return core.reported(this.registry[TypeId], this)
  }

  unclaimed(): void {
    core.unclaimed(this.registry[TypeId], this)
  }

  report(failure: tasks.Failure): Effect.Effect<void> {
    return this.registry.report(unheard(this.task, failure), (fiber) => this.registry.enter(this, fiber))
  }
}

const unheard = ({ name }: tasks.State, { cause, error }: tasks.Failure): Unhandled => ({
  where: "Background",
  name,
  message: core.unheard,
  // The task of a function has none.
  cause: (cause as Cause.Cause<unknown> | undefined) ?? Cause.fail(error)
})

class BackgroundImpl implements Background<BackgroundFull> {
  readonly [TypeId]: core.State
  readonly size: Background["size"]
  readonly awaitEmpty: Background["awaitEmpty"]
  readonly cancelAll: Background["cancelAll"]
  readonly close: Background["close"]
  readonly stats: Background["stats"]
  readonly reportPlain: Background["reportPlain"]
  private readonly insiders: Insiders = new Map()

  constructor(
    state: core.State,
    readonly report: Report,
    run: (effect: Effect.Effect<unknown>) => Promise<unknown>
  ) {
    this[TypeId] = state
    this.reportPlain = ({ error, ...rest }) =>
      run(report({ ...rest, cause: error === undefined ? Cause.empty : Cause.fail(error) }))
    this.size = Effect.sync(() => core.size(state))
    this.awaitEmpty = withFiber((fiber) =>
      isInside(this.insiders, fiber, state.works, state.reports)
        ? Effect.die(misuse("Background.awaitEmpty", core.itself))
        : this.wait("empty")
    )
    this.cancelAll = withFiber((fiber) => {
      const all = core.tasks(state)
      const isOne = isInside(this.insiders, fiber, state.works)
      wake(core.stopAll(state, undefined))
      return isOne
        ? Effect.succeed(all.length)
        : Effect.as(
            Effect.forEach(all, (task) => ended(task, false, () => Effect.void), { discard: true }),
            all.length
          )
    })
    const closing = Effect.suspend(() => this.perform(core.close(state, undefined)))
    this.close = withFiber((fiber) =>
      isInside(this.insiders, fiber, state.works, state.reports)
        ? Effect.zipRight(forkDetached(closing), Effect.die(misuse("Background.close", core.itself)))
        : closing
    )
    this.stats = Effect.sync(() => core.stats(state))
  }

  readonly start = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: Task.Options = {}
  ): Effect.Effect<Task.Task<A, E>, BackgroundClosed | BackgroundFull, R> => {
    return Effect.uninterruptible(this.begin("Background.start", effect, options))
  }

  readonly tryStart = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: Task.Options = {}
  ): Effect.Effect<Option.Option<Task.Task<A, E>>, never, R> => {
    const where = "Background.tryStart"
    return Effect.uninterruptible(
      Effect.suspend((): Effect.Effect<Option.Option<Task.Task<A, E>>, never, R> => {
        const entry = new Entry(this, prepare(where, effect, options))
        return core.tryAdd(this[TypeId], entry) ? Effect.asSome(this.launch(where, entry, effect)) : Effect.succeedNone
      })
    )
  }

  readonly fireAndForget = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: Task.Options = {}
  ): Effect.Effect<void, BackgroundClosed | BackgroundFull, R> => {
    const where = "Background.fireAndForget"
    return Effect.uninterruptible(
      Effect.suspend((): Effect.Effect<void, BackgroundClosed | BackgroundFull, R> => {
        const entry = new Entry(this, prepare(where, effect, options))
        const refused = core.add(this[TypeId], entry)
        if (refused !== undefined) return Effect.fail(refused)
        wake(tasks.onStop(entry.task, entry))
        const end = (outcome: tasks.Outcome) =>
          wake(concat(tasks.end(entry.task, outcome), entry.ended(outcome._tag === "Failure")))
        return Effect.asVoid(
          work(entry, this.insiders, this.inTurn(where, effect), {
            onFailure: (cause) => {
              const outcome = outcomeOf(entry.task, cause)
              end(outcome)
              // Nobody else can ask for it.
              return outcome._tag === "Failure"
                ? Effect.map(entry.report(outcome), () => wake(entry.reported()))
                : Effect.void
            },
            onSuccess: (value) => {
              end({ _tag: "Success", value })
              return Effect.void
            }
          })
        )
      })
    )
  }

  readonly run = <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options: Task.Options = {}
  ): Effect.Effect<A, E | TaskCancelled | BackgroundClosed | BackgroundFull, R> => {
    return Effect.uninterruptibleMask((restore) => {
      const caller = new FiberTicket<boolean, tasks.Outcome<A>>(true, 0, "the end of a task")
      return Effect.flatMap(this.begin("Background.run", effect, options, caller), (task) =>
        awaitOrStop<A, E>(restore, task[tasks.TypeId], caller)
      )
    })
  }

  /**
   * For uninterruptible regions, since what is in the registry has to be started: it would be waited for. Whoever runs the task himself asks for its
   * outcome before it begins: he may be preempted then, and until he goes on it can fail, and be reported.
   */
  private begin<A, E, R>(where: string, effect: Effect.Effect<A, E, R>, options: Task.Options, caller?: tasks.Waiting) {
    return Effect.suspend((): Effect.Effect<Task.Task<A, E>, BackgroundClosed | BackgroundFull, R> => {
      const entry = new Entry(this, prepare(where, effect, options))
      const refused = core.add(this[TypeId], entry)
      if (refused !== undefined) return Effect.fail(refused)
      if (caller !== undefined) wake(tasks.enqueue(entry.task, caller))
      return this.launch(where, entry, effect)
    })
  }

  private launch<A, E, R>(where: string, entry: Entry, effect: Effect.Effect<A, E, R>) {
    const work = this.inTurn(where, effect)
    const known = withFiber((fiber: RunningFiber<A, E>) => {
      this.enter(entry, fiber)
      return work
    })
    return launch<Task.Task<A, E>, A, E, R>(entry.task, known, entry)
  }

  /** Work that begins when its turn has come. */
  private inTurn<A, E, R>(where: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { semaphore } = this[TypeId]
    return semaphore === undefined ? effect : hold(where, semaphore, 1, undefined, effect)
  }

  /** A fiber does the work of a task, or reports what has become of it. */
  enter(entry: Entry, fiber: AnyFiber): void {
    this.forget(entry)
    entry.fiber = fiber
    this.insiders.set(fiber, entry)
  }

  forget(entry: Entry): void {
    forget(this.insiders, entry)
  }

  private wait(until: core.Until): Effect.Effect<void> {
    return Effect.uninterruptibleMask((restore) => {
      const state = this[TypeId]
      if (core.isEmpty(state)) return Effect.void
      const ticket = new FiberTicket<undefined, undefined>(undefined, 0, "background tasks to end")
      wake(core.enqueue(state, until, ticket))
      return park(
        restore,
        ticket,
        () => running.cancel(state, ticket),
        () => Effect.void
      )
    })
  }

  /** Takes a step of closing, and those that follow. */
  private perform(step: core.Step): Effect.Effect<ReadonlyArray<string>> {
    const { chain, givenUp, message, until, wait } = step
    wake(chain)
    const logged = Effect.forEach(step.overdue, (task) => overdue(unheard(task, task.outcome as tasks.Failure)), {
      discard: true
    })
    if (wait === undefined) return Effect.as(logged, core.namesOf(givenUp))
    const waited = within(wait, this.wait(until))
    const next = (inTime: boolean) => this.perform(core.proceed(this[TypeId], step, undefined, inTime))
    if (message === undefined) return Effect.zipRight(logged, Effect.flatMap(waited, next))
    const failure = { where: "Background.close", name: undefined, message, cause: Cause.empty }
    const told =
      step.overdue.length > 0 ? log(failure) : reportWithin(core.patience(this[TypeId]), this.report, failure)
    // It is told while others clean up.
    const both = Effect.flatMap(forkDetached(told), (fiber) => Effect.zipLeft(waited, fiber.await))
    return Effect.zipRight(logged, Effect.flatMap(both, next))
  }
}

/** Waits for a task in an uninterruptible region; who goes takes it along, and waits for its end. What it failed with and nobody heard is reported. */
const awaitOrStop = <A, E>(
  restore: Restore,
  state: tasks.State<A>,
  caller: FiberTicket<boolean, tasks.Outcome<A>>
): Effect.Effect<A, E | TaskCancelled> =>
  Effect.matchCauseEffect(restore(caller.settlement), {
    onFailure: (cause) => {
      wake(concat(tasks.leave(state, caller), tasks.stop(state, undefined)))
      return Effect.zipRight(
        ended(state, false, () => Effect.void),
        Effect.failCause(cause)
      )
    },
    onSuccess: () => exitOf<A, E>(state, caller.result!)
  })

const checked = ({ deadline, grace, onError, ...rest }: Options<any>): core.State => {
  const where = "Background.make"
  if (onError !== undefined) callable(where, "onError", onError)
  return core.make(where, {
    ...rest,
    deadline: deadline === undefined ? undefined : milliseconds(where, "deadline", deadline),
    grace: grace === undefined ? undefined : milliseconds(where, "grace", grace)
  })
}

type Bounded = { readonly backlog: number }

/**
 * Makes a registry, without an effect around it. Nobody closes it but who calls `close`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeUnsafe: {
  (options: Options & Bounded): Background<BackgroundFull>
  (options?: Options): Background
} = (options: Options = {}): any =>
  new BackgroundImpl(
    checked(record("Background.make", options)),
    reporter("Background.onError", options.onError),
    runPlain
  )

/**
 * Makes a registry, which is closed with the scope. What `onError` needs is taken from where the registry is made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: {
  <R = never>(options: Options<R> & Bounded): Effect.Effect<Background<BackgroundFull>, never, R | Scope.Scope>
  <R = never>(options?: Options<R>): Effect.Effect<Background, never, R | Scope.Scope>
} = (options: Options<any> = {}): Effect.Effect<any, never, any> =>
  Effect.flatMap(Effect.context<any>(), (context) =>
    Effect.flatMap(runner, (run) => {
      const { onError } = record("Background.make", options)
      const state = checked(options)
      const provided = onError && ((failure: Unhandled) => Effect.provide(onError(failure), context))
      return Effect.acquireRelease(
        Effect.sync(() => new BackgroundImpl(state, reporter("Background.onError", provided), run)),
        (background) => background.close
      )
    })
  )

/**
 * Starts an effect as a task of the registry. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const start = <Full, A, E, R>(
  self: Background<Full>,
  effect: Effect.Effect<A, E, R>,
  options?: Task.Options
): Effect.Effect<Task.Task<A, E>, BackgroundClosed | Full, R> => self.start(effect, options)

/**
 * Starts an effect as a task of the registry, if that is open and has room. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const tryStart = <Full, A, E, R>(
  self: Background<Full>,
  effect: Effect.Effect<A, E, R>,
  options?: Task.Options
): Effect.Effect<Option.Option<Task.Task<A, E>>, never, R> => self.tryStart(effect, options)

/**
 * Starts an effect that nobody waits for. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const fireAndForget = <Full, A, E, R>(
  self: Background<Full>,
  effect: Effect.Effect<A, E, R>,
  options?: Task.Options
): Effect.Effect<void, BackgroundClosed | Full, R> => self.fireAndForget(effect, options)

/**
 * Runs an effect as a task of the registry, and gives what it gives. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const run = <Full, A, E, R>(
  self: Background<Full>,
  effect: Effect.Effect<A, E, R>,
  options?: Task.Options
): Effect.Effect<A, E | TaskCancelled | BackgroundClosed | Full, R> => self.run(effect, options)

/**
 * How many tasks have not ended. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const size = <Full>(self: Background<Full>): Effect.Effect<number> => self.size

/**
 * Waits until every task has ended and every failure is reported. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const awaitEmpty = <Full>(self: Background<Full>): Effect.Effect<void> => self.awaitEmpty

/**
 * Cancels the tasks that there are, all at once, and waits until they have cleaned up. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const cancelAll = <Full>(self: Background<Full>): Effect.Effect<number> => self.cancelAll

/**
 * Closes the registry, and gives the names of the tasks that it gave up. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const close = <Full>(self: Background<Full>): Effect.Effect<ReadonlyArray<string>> => self.close

/**
 * A frozen snapshot. See {@link Background}.
 *
 * @since 0.1.0
 * @category operations
 */
export const stats = <Full>(self: Background<Full>): Effect.Effect<Stats> => self.stats

/**
 * What a report says, as one line of text: where, which task, what happened, and its errors.
 *
 * **When to use**: in an `onError` that writes lines.
 *
 * **Details**: the default of `onError` logs the same line without the errors, and the cause beside it.
 *
 * @example
 * import { Background } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const lines: Array<string> = []
 * const program = Effect.gen(function* () {
 *   const background = yield* Background.make({
 *     onError: (failure) => Effect.sync(() => lines.push(Background.describe(failure)))
 *   })
 *   yield* background.fireAndForget(Effect.fail("no route"), { name: "mail" })
 *   yield* background.awaitEmpty
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * console.log(lines[0]) // => Background: mail: it failed, and nobody waits for it: no route
 *
 * @since 0.1.0
 * @category reports
 */
export const describe: (unhandled: Unhandled) => string = lineOf

/**
 * A service class: a tag, its layer, and the operations of a `Background` on whichever registry is provided.
 *
 * @since 0.1.0
 * @category services
 */
export interface ServiceClass<
  Self,
  Id extends string,
  Full,
  LayerE = never,
  LayerR = never
> extends service.ServiceClass<Self, Id, Background<Full>, LayerE, LayerR> {
  readonly start: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ) => Effect.Effect<Task.Task<A, E>, BackgroundClosed | Full, R | Self>
  readonly tryStart: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ) => Effect.Effect<Option.Option<Task.Task<A, E>>, never, R | Self>
  readonly fireAndForget: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ) => Effect.Effect<void, BackgroundClosed | Full, R | Self>
  readonly run: <A, E, R>(
    effect: Effect.Effect<A, E, R>,
    options?: Task.Options
  ) => Effect.Effect<A, E | TaskCancelled | BackgroundClosed | Full, R | Self>
  readonly size: Effect.Effect<number, never, Self>
  readonly awaitEmpty: Effect.Effect<void, never, Self>
  readonly cancelAll: Effect.Effect<number, never, Self>
  readonly close: Effect.Effect<ReadonlyArray<string>, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/**
 * A registry as a service. The options may also be an effect that finds them out when the layer is built.
 *
 * **Details**: closing the layer closes the registry, as its options say: by default all tasks are cancelled at once, and their cleanup is
 * waited for. What it gives up is reported, by name.
 *
 * @example
 * import { Background } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * class Jobs extends Background.Service<Jobs>()("app/Jobs", { onClose: "drain", deadline: "10 seconds" }) {}
 *
 * const log: Array<string> = []
 * const write = Effect.zipRight(
 *   Effect.yieldNow(),
 *   Effect.sync(() => log.push("written"))
 * )
 * const program = Effect.map(Jobs.fireAndForget(write), () => log.push("answered"))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Jobs.layer)))
 * console.log(log) // => [ 'answered', 'written' ]
 *
 * @since 0.1.0
 * @category services
 */
export const Service: <Self>() => {
  <const Id extends string, R = never, LayerE = never, LayerR = never>(
    id: Id,
    options: service.Options<Options<R> & Bounded, LayerE, LayerR>
  ): ServiceClass<Self, Id, BackgroundFull, LayerE, Exclude<LayerR, Scope.Scope> | R>
  <const Id extends string, R = never, LayerE = never, LayerR = never>(
    id: Id,
    options?: service.Options<Options<R>, LayerE, LayerR>
  ): ServiceClass<Self, Id, never, LayerE, Exclude<LayerR, Scope.Scope> | R>
} =
  <_Self>() =>
  (id: string, options: service.Options<Options<any>, unknown, unknown> = {}) =>
    service.make<any>(
      id,
      Effect.flatMap(service.options(options), (options) => make(options)),
      {
        properties: ["size", "awaitEmpty", "cancelAll", "close", "stats"],
        methods: ["start", "tryStart", "fireAndForget", "run"]
      }
    )
