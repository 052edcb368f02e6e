/**
 * A task: a handle on running work. Wait for it, look at it, cancel it, be called when it has ended.
 *
 * It corresponds to `asyncio.Task` and its done callbacks, with these differences, which are those of Effect's interruption:
 *
 * - Cancelling is not refusable and not delivered once: an effect that is interrupted stays interrupted until it has ended, its finalizers run
 *   to their end, and nothing can interrupt those. So there is no `uncancel` and no count, and a second `cancel` changes nothing; its reason is
 *   that of the first. What is `Effect.uninterruptible` goes on to its end, and no further: a value that it then gives is discarded, as
 *   Python's of a task that cancels itself in its last step. An effect that catches its own interruption has not caught it.
 * - Whoever waits for a task that was cancelled fails with `TaskCancelled`, which is an error. It is not interrupted itself, so the two cannot be
 *   taken for each other.
 * - An awaited task is not cancelled along with who awaits it. Python's is: to have that, await the effect itself, or use `startScoped`.
 * - There is no `set_result`: a result that anybody may set is a `Deferred`. There is no current task either: hand the task over. And there
 *   is no list of all tasks: `Background` has one of its own.
 * - A task never starts within the call that starts it, so there are no eager ones. An effect may be started as often as you like, and each
 *   start is another task.
 * - A failure arrives as it was. Nothing is chained to it, and a class that something fails with is not made an instance.
 * - A task whose own fiber waits for it is told so, whenever it does. Another fiber within it may wait for it: a child is interrupted when the task
 *   ends, so its wait has an end, and one that outlives the task hears of that. (A task that waits for such a fiber does wait for itself, and
 *   nobody tells it.) The facade's `Task` sees it in its first step only; see there.
 * - A callback is given the outcome; what registers it gives back what removes it, so the same function may be registered twice. It runs with
 *   what whoever registers it has: the services, which its type asks of him, the references, the clock; as `add_done_callback` takes the context
 *   of its caller. It has nothing of the task's. What is to run with that belongs into the task: `Effect.onExit(effect, callback)`.
 * - A failure nobody asks for is reported when it happens, and not when the task is collected as garbage. Who races a task, or waits for several
 *   with `Wait`, has asked as long as that goes on, and after it only if the failure is what came of it.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import type * as EffectDeferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as deferreds from "./core/deferred.js"
import * as core from "./core/task.js"
import { TaskCancelled } from "./core/task.js"
import { wake } from "./core/ticket.js"
import { sharedDeferred } from "./internal/effect.js"
import { report } from "./internal/report.js"
import { type Hooks, launch, outcomeOf, prepare } from "./internal/task.js"

export {
  /**
   * Somebody waited for a task that was cancelled. It says that the task was, and not who waits.
   *
   * @since 0.1.0
   * @category errors
   */
  TaskCancelled
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
 * How a task is started.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** For reports, and for whoever looks. */
  readonly name?: string | undefined
}

/**
 * How a task is cancelled.
 *
 * @since 0.1.0
 * @category models
 */
export interface CancelOptions {
  /**
   * How long to wait for the cleanup. After that the caller goes on, and it is reported that the cleanup is overdue; should it fail
   * later, that is reported too. Default: as long as it takes.
   */
  readonly grace?: Duration.DurationInput | undefined
  /** Why. Whoever waits for the task finds it in `TaskCancelled`. That of the first request counts. */
  readonly reason?: unknown
}

/**
 * The work ended with a value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Success<out A> extends core.Success<A> {}

/**
 * The work failed, died, or failed to clean up. A cause that is nothing but an interruption is `Cancelled` instead.
 *
 * @since 0.1.0
 * @category models
 */
export interface Failure<out E> {
  readonly _tag: "Failure"
  /** The failure or, if there was none, the defect. */
  readonly error: unknown
  readonly cause: Cause.Cause<E>
}

/**
 * The work was interrupted, and ended because of that.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cancelled extends core.Cancelled {}

/**
 * The work has not ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Pending extends core.Pending {}

/**
 * How a task ended.
 *
 * @since 0.1.0
 * @category models
 */
export type Outcome<A, E = never> = Success<A> | Failure<E> | Cancelled

/**
 * A callback that was registered.
 *
 * @since 0.1.0
 * @category models
 */
export interface Registration {
  /** Removes the callback, and says whether that was in time. */
  readonly remove: Effect.Effect<boolean>
}

/**
 * A handle on running work.
 *
 * **When to use**: for work that outlives who starts it, that others wait for or cancel, or whose end they want to hear of. For many
 * of them, and to wait for all of them at the end of a program, use `Background`. For work inside one effect, `Effect.all` will do.
 *
 * **Details**: it runs from the next turn on. If it fails, and nobody waits for it or has registered a callback by the turn after that, the
 * failure is reported: logged at error level, with the name of the task.
 *
 * **Interruption**: whoever waits for a task can be interrupted, and the task does not notice. `cancel` interrupts the task, and waits until its
 * finalizers have run; interrupted in that wait, it has cancelled all the same. A task that is cancelled before its first step does not run
 * at all, and so has nothing to clean up.
 *
 * **Fairness**: those who wait, and callbacks, are told of the end in order of their registration, and go on as Effect's scheduler has them.
 *
 * @example
 * import { Task } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const log: Array<string> = []
 *   const clean = Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push("cleaned up")))
 *   const task = yield* Task.start(clean, { name: "watcher" })
 *   yield* task.onComplete(({ _tag }) => Effect.sync(() => log.push(_tag)))
 *   yield* Effect.yieldNow()
 *   yield* task.cancel({ reason: "not needed" })
 *   const error = yield* Effect.flip(task.await)
 *   return [...log, error.message].join(", ")
 * })
 *
 * console.log(await Effect.runPromise(program)) // => cleaned up, Cancelled, the task "watcher" was cancelled
 *
 * @since 0.1.0
 * @category models
 */
export interface Task<out A, out E = never> {
  readonly [TypeId]: core.State<A> & { readonly _E?: () => E }

  /** What it was named. */
  readonly name: string | undefined

  /**
   * Waits for the end, and gives the value, or fails as the work did; with `TaskCancelled` when it was cancelled. From within the task
   * itself it is a defect, since it would never end.
   */
  readonly await: Effect.Effect<A, E | TaskCancelled>

  /** How it ended, or `Pending`. Does not count as asking for a failure. */
  readonly poll: Effect.Effect<Outcome<A, E> | Pending>

  /**
   * Cancels the task and waits until it has cleaned up. Says whether it was still running: then it was told to stop, and may yet end
   * with an error of its own. Called from within the task it does not wait.
   */
  cancel(options?: CancelOptions): Effect.Effect<boolean>

  /** Cancels the task, and does not wait. Says whether it was still running. */
  readonly cancelNow: Effect.Effect<boolean>

  /**
   * Has a callback called when the task has ended: once, in a fiber of its own, with the services and references of whoever registers it, and not
   * with the task's. When the task has ended already, it is called soon, and never before this goes on. What it gives can remove the callback.
   * A callback that fails or throws is reported, and nobody else notices.
   */
  onComplete<R = never>(
    callback: (outcome: Outcome<A, E>) => Effect.Effect<unknown, unknown, R> | void
  ): Effect.Effect<Registration, never, R>
}

/** A task on its own: nobody but the reporter hears of it. */
class Alone implements Hooks {
  constructor(private readonly name: string | undefined) {}

  ended(): undefined {}

  reported(): undefined {}

  unclaimed(): void {}

  report({ cause }: core.Failure): Effect.Effect<void> {
    const message = "it failed, and nobody waits for it"
    return report({ where: "Task", name: this.name, message, cause: cause as Cause.Cause<unknown> })
  }
}

/**
 * Starts an effect as a task, which outlives whoever starts it. It can be cancelled also when it is started where nothing can be interrupted.
 *
 * **Interruption**: whoever is interrupted here has started the task, or has not; one that was started without anybody to hold it goes on, and its
 * failure is reported.
 *
 * @example
 * import { Task } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const task = yield* Task.start(Effect.succeed(6 * 7))
 *   return yield* task.await
 * })
 *
 * console.log(await Effect.runPromise(program)) // => 42
 *
 * @see Task.startScoped for a task that ends with its scope
 * @since 0.1.0
 * @category constructors
 */
export const start = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: Options = {}
): Effect.Effect<Task<A, E>, never, R> =>
  Effect.uninterruptible(
    Effect.suspend(() => {
      const state = prepare("Task.start", effect, options)
      return launch<Task<A, E>, A, E, R>(state, effect, new Alone(state.name))
    })
  )

/**
 * Starts an effect as a task that is cancelled when its scope is closed. The closing waits for the task's cleanup.
 *
 * @example
 * import { Task } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const task = yield* Effect.scoped(Task.startScoped(Effect.never))
 *   return yield* task.poll
 * })
 *
 * console.log((await Effect.runPromise(program))._tag) // => Cancelled
 *
 * @since 0.1.0
 * @category constructors
 */
export const startScoped = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: Options
): Effect.Effect<Task<A, E>, never, R | Scope.Scope> =>
  Effect.acquireRelease(start(effect, options), (task) => task.cancel())

const await_ = <A, E>(self: Task<A, E>): Effect.Effect<A, E | TaskCancelled> => self.await

export {
  /**
   * Waits for the end, and gives the value. See {@link Task}.
   *
   * @since 0.1.0
   * @category operations
   */
  await_ as await
}

/**
 * How it ended, or `Pending`. See {@link Task}.
 *
 * @since 0.1.0
 * @category operations
 */
export const poll = <A, E>(self: Task<A, E>): Effect.Effect<Outcome<A, E> | Pending> => self.poll

/**
 * Cancels the task and waits until it has cleaned up. See {@link Task}.
 *
 * @example
 * import { Task } from "effect-concurrency"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const task = yield* Task.start(Effect.never)
 *   return [yield* Task.cancel(task, { grace: "1 second" }), yield* Task.cancel(task)]
 * })
 *
 * console.log(await Effect.runPromise(program)) // => [ true, false ]
 *
 * @since 0.1.0
 * @category operations
 */
export const cancel = <A, E>(self: Task<A, E>, options?: CancelOptions): Effect.Effect<boolean> => self.cancel(options)

/**
 * Cancels the task, and does not wait. See {@link Task}.
 *
 * @since 0.1.0
 * @category operations
 */
export const cancelNow = <A, E>(self: Task<A, E>): Effect.Effect<boolean> => self.cancelNow

/**
 * Has a callback called when the task has ended. See {@link Task}.
 *
 * @since 0.1.0
 * @category operations
 */
export const onComplete = <A, E, R = never>(
  self: Task<A, E>,
  callback: (outcome: Outcome<A, E>) => Effect.Effect<unknown, unknown, R> | void
): Effect.Effect<Registration, never, R> => self.onComplete(callback)

/**
 * An Effect `Deferred` for plain code: what the facade's `Deferred.from` takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface SharedDeferred<in out A> {
  readonly [deferreds.TypeId]: deferreds.State<A>
}

/**
 * An Effect `Deferred` for plain code. Hand the result to `Deferred.from` of `effect-concurrency/promise`.
 *
 * **When to use**: for a result that either side may settle. A plain function that only waits for it can use `Effect.runPromise`.
 *
 * **Details**: it settles once, whichever side is first. Plain code that waits for one that was failed is rejected with the original
 * error, and for one that was interrupted with an `AbortError`.
 *
 * @example
 * import { Task } from "effect-concurrency"
 * import * as Promises from "effect-concurrency/promise"
 * import { Deferred, Effect } from "effect"
 *
 * const deferred = Effect.runSync(Deferred.make<number>())
 * const plain = Promises.Deferred.from(Task.shareDeferred(deferred))
 *
 * console.log(plain.resolve(5), plain.resolve(6), await Effect.runPromise(Deferred.await(deferred))) // => true false 5
 *
 * @since 0.1.0
 * @category conversions
 */
export const shareDeferred = <A, E>(deferred: EffectDeferred.Deferred<A, E>): SharedDeferred<A> => {
  const { isSettled, onSettled, settle } = sharedDeferred(deferred)
  let result: core.State<A> | undefined
  return {
    [deferreds.TypeId]: {
      isSettled,
      settle: (outcome) =>
        settle(outcome._tag === "Success" ? Exit.succeed(outcome.value) : Exit.fail(outcome.error as E)),
      result: () => {
        if (result !== undefined) return result
        const state = (result = core.make<A>(undefined))
        onSettled((exit) =>
          wake(
            core.end(
              state,
              exit._tag === "Success" ? { _tag: "Success", value: exit.value } : outcomeOf(state, exit.cause)
            )
          )
        )
        return state
      }
    }
  }
}
