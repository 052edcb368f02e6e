/**
 * A task for `async` functions: a handle on running work.
 *
 * It corresponds to `asyncio.Task`, as the Effect module's `Task` does, with these differences more. A function is cancelled by its signal:
 * one that does not look at it runs to its end, and whoever cancels waits for that. What ends with the reason of its signal, or
 * with an `AbortError`, once it was told to stop, was cancelled; a value that it gives all the same is its result, and another error, from
 * a cleanup for example, its failure. Whoever waits for a task that was cancelled is rejected with that reason.
 *
 * A task that waits for itself never ends. What asks for its value in its first step, which is up to its first `await`, is told so: `await`,
 * `return`, `then`, `wait`, and a race of `Wait` that cannot end well without it. There all that asks counts as the task, also what is not
 * waited for itself: use `onComplete` to be told of the end. After the first `await` nothing says which function runs, and such a wait never
 * ends, unless it has a signal or a timeout. Only `AsyncLocalStorage` could say more, and it is not used, for two reasons. It is not free:
 * on Node 20, where promises then have hooks, a task with three awaits takes 4.1 µs rather than 1.6, and each `await` in the process 0.3 µs
 * rather than 0.09. (Node 24 keeps such a context without hooks, in an `AsyncContextFrame`.) And it knows who started a function, and not who waits
 * for it: what a task starts and leaves behind may well wait for its end, and would be refused.
 *
 * @since 0.1.0
 */
import { callable, expect, misuse, number, record } from "../core/arguments.js"
import type { Outcome, Pending, State } from "../core/task.js"
import * as core from "../core/task.js"
import type { Chain } from "../core/ticket.js"
import { concat, wake } from "../core/ticket.js"
import type * as Effects from "../Task.js"
import { attempt, checkWait, park, PromiseTicket, type WaitOptions, watch } from "./park.js"
import { report, type Reporter, type Unhandled } from "./report.js"
import { view } from "./view.js"

export { TaskCancelled } from "../core/task.js"

/**
 * What a task is told.
 *
 * @since 0.1.0
 */
export interface TaskContext {
  /** Aborts when the task is cancelled. */
  readonly signal: AbortSignal
}

/**
 * How a task is started.
 *
 * @since 0.1.0
 */
export interface TaskOptions {
  /** For reports, and for whoever looks. */
  readonly name?: string | undefined
  /** Cancels the task, with `signal.reason`. When it is aborted already, nothing runs. */
  readonly signal?: AbortSignal | undefined
  /** Where a failure goes that nobody waits for, a failed callback, a cleanup that takes too long. Default: `console.error`. */
  readonly onError?: ((failure: Unhandled) => unknown) | undefined
}

/**
 * How a task is cancelled.
 *
 * @since 0.1.0
 */
export interface TaskCancelOptions {
  /**
   * How many milliseconds to wait for the cleanup. After that the caller goes on, and it is reported that the cleanup is overdue; should
   * it fail later, that is reported too. Default: as long as it takes.
   */
  readonly grace?: number | undefined
  /** Ends the wait. The task is cancelled all the same; but when the signal is aborted already, nothing is done. */
  readonly signal?: AbortSignal | undefined
}

/**
 * How a task ended.
 *
 * @since 0.1.0
 */
export type TaskOutcome<A> = core.Success<A> | { readonly _tag: "Failure"; readonly error: unknown } | core.Cancelled

/** What those want to know who start a task. */
export interface Hooks {
  /** It has ended; whether it has failed, in which case `reported` comes once it is known whose failure that is. */
  readonly ended: (failed: boolean) => Chain
  readonly reported: () => Chain
  /** Whoever had the failure has left it behind: it is to be reported, and `reported` comes once more. */
  readonly unclaimed?: () => void
  readonly report: (error: unknown) => void | Promise<void>
  /** Whether nobody can ask for the outcome: then there is no need to wait for that. */
  readonly forgotten?: boolean
  /** Whether the work is under way already, so that it is too late not to start it. */
  readonly running?: boolean
}

/** The signal of a task. The controller is made when it is asked for: most functions do not. */
export class Signal extends PromiseTicket<undefined, core.Stop> {
  private controller: AbortController | undefined = undefined

  constructor() {
    super(undefined, 0)
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.settled) this.wake()
    }
    return this.controller.signal
  }

  override wake(): void {
    this.controller?.abort(this.result!.reason)
  }
}

/** What the function is given: the signal, and nothing else of the task. */
class Context implements TaskContext {
  readonly #stop: Signal

  constructor(stop: Signal) {
    this.#stop = stop
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }
}

/** What waits for the value. */
class ResultTicket<A> extends PromiseTicket<boolean, Outcome<A>> {
  constructor() {
    super(true, 0)
  }

  override claim(): unknown {
    const outcome = this.result!
    return outcome._tag === "Success" ? outcome.value : Promise.reject(errorOf(outcome))
  }
}

/** What whoever waits for a task is rejected with. */
export const errorOf = (outcome: core.Failure | core.Cancelled): unknown => {
  if (outcome._tag === "Failure") return outcome.error
  return outcome.reason === undefined ? aborted() : outcome.reason
}

const aborted = () => new DOMException("the task was cancelled", "AbortError")

/** Waits for the value of a task that may be nobody's, as a deferred result is. */
export const result = <A>(where: string, state: State<A>, options: WaitOptions | undefined): Promise<A> =>
  park(where, state, new ResultTicket<A>(), options, core.enqueue, core.leave)

/** Tells a task to stop; says whether it was running. A failure of one that has ended is not reported any more: somebody has looked. */
const cancelNow = (state: State, reason: unknown): boolean => {
  if (state.outcome) {
    core.observe(state)
    return false
  }
  wake(core.stop(state, reason === undefined ? aborted() : reason))
  return true
}

/** Whose first step runs: there is no other way to ask who calls. */
let inside: State | undefined

export const isInside = (state: State | undefined): boolean => state !== undefined && inside === state

/** A reaction, and not a microtask of the platform's: those cost more, and fake timers may replace them. */
const soon = Promise.resolve()

/** Starts a function as a task, from the next tick on, in the context of its caller. */
export const launch = <A>(
  state: State<A>,
  stop: Signal,
  work: (context: TaskContext) => A | PromiseLike<A>,
  hooks: Hooks
): void => {
  wake(core.onStop(state, stop))
  void soon.then(() => {
    if (state.stop && !hooks.running) return end(state, core.cancelled(state), hooks, false)
    void firstStep(state, work, stop).then(
      (value) => end(state, { _tag: "Success", value }, hooks, false),
      (error) => fail(state, error, stop, hooks)
    )
  })
}

const firstStep = <A>(
  state: State<A>,
  work: (context: TaskContext) => A | PromiseLike<A>,
  stop: Signal
): Promise<A> => {
  inside = state
  try {
    // Still inside: it may return itself.
    return Promise.resolve(work(new Context(stop)))
  } catch (error) {
    return Promise.reject(error)
  } finally {
    inside = undefined
  }
}

const end = <A>(state: State<A>, outcome: Outcome<A>, hooks: Hooks, failed: boolean): void =>
  wake(concat(core.end(state, outcome), hooks.ended(failed)))

const fail = (state: State, error: any, stop: Signal, hooks: Hooks): void => {
  const told = state.stop !== undefined && (error === stop.signal.reason || error?.name === "AbortError")
  end(state, told ? core.cancelled(state) : { _tag: "Failure", error }, hooks, !told)
  if (!told) reportLater(state, hooks)
}

/**
 * Reports a failure, unless somebody has asked for it by the next turn of the event loop, if anybody can. Who waits for the value is gone in a
 * tick, if at all. Should all who have asked leave it behind, it is looked after again; in the very step in which they do, so that nobody takes
 * everything for reported.
 */
const reportLater = (state: State, hooks: Hooks): void => {
  const tell = () => {
    const failure = core.unhandled(state)
    const told = failure && hooks.report(failure.error)
    if (told) return void told.then(() => wake(hooks.reported()))
    wake(hooks.reported())
    if (!failure) wake(core.reportLate(state, new Call(undefined, again)))
  }
  const again = () => {
    hooks.unclaimed?.()
    reportLater(state, hooks)
  }
  if (hooks.forgotten) tell()
  else if (state.asked > 0) void soon.then(tell)
  else setTimeout(tell, 0)
}

/** Who does something with the result of a ticket that nobody waits for. */
export class Call<Request, Result> extends PromiseTicket<Request, Result> {
  constructor(
    request: Request,
    private readonly call: (result: Result) => void
  ) {
    super(request, 0)
  }

  override wake(): void {
    this.call(this.result!)
  }
}

/** Watches a task. It is called with the outcome at once when that is there. */
export const watchTask = (state: State, ended: (outcome: Outcome) => void): core.Watch => {
  const watch = new core.Watch(state, new Call(true, ended))
  wake(watch.begin())
  return watch
}

/** Checks how a task is to be started; gives its state. */
export const prepare = (where: string, options: TaskOptions): State => {
  const { name, onError, signal } = record(where, options)
  expect(name === undefined || typeof name === "string", where, "name", "a string", name)
  if (onError !== undefined) callable(where, "onError", onError)
  if (signal !== undefined) {
    expect(typeof signal?.addEventListener === "function", where, "signal", "an AbortSignal", signal)
  }
  return core.make(name)
}

/** Has a signal cancel a task. What it gives takes the listener away again. When it is aborted already, so is the task. */
export const follow = (where: string, state: State, signal: AbortSignal | undefined): (() => void) => {
  if (signal?.aborted) cancelNow(state, signal.reason)
  else if (signal) return watch(where, { signal }, (reason) => cancelNow(state, reason))
  return nothing
}

const nothing = (): void => {}

/** A task on its own: nobody but the reporter hears of it. */
class Alone implements Hooks {
  constructor(
    private readonly name: string | undefined,
    private readonly reporter: Reporter | undefined,
    private readonly unfollow: () => void
  ) {}

  ended(): undefined {
    this.unfollow()
  }

  reported(): undefined {}

  report(error: unknown): void | Promise<void> {
    const { name, reporter } = this
    return report({ where: "Task", name, message: "it failed, and nobody waits for it", error }, reporter)
  }
}

/** What `then` is. */
type Then<out A> = <B = A, C = never>(
  onValue?: ((value: A) => B | PromiseLike<B>) | null,
  onError?: ((error: any) => C | PromiseLike<C>) | null
) => Promise<B | C>

function then<A, B = A, C = never>(
  this: Task<A>,
  onValue?: ((value: A) => B | PromiseLike<B>) | null,
  onError?: ((error: any) => C | PromiseLike<C>) | null
): Promise<B | C> {
  return (this["shared"] ??= result("Task.wait", this[core.TypeId], undefined)).then(onValue, onError)
}

const refuse: Then<never> = (onValue, onError) =>
  Promise.reject(misuse("Task.wait", core.itself)).then(onValue, onError)

/** A task of which everything is decided elsewhere. */
export const taskOf = <A>(state: State<A>, stop: Signal, reporter: Reporter | undefined): Task<A> =>
  ({ __proto__: Task.prototype, [core.TypeId]: state, stop, reporter }) as unknown as Task<A>

/**
 * A handle on running work. The same machine as the Effect module's `Task`; `Task.from` shares one.
 *
 * **When to use**: for work that others wait for or cancel, or whose end they want to hear of. To wait once for what a function gives, its
 * promise will do; for many tasks, use `Background`.
 *
 * **Details**: the function starts in the next tick, in its caller's `AsyncLocalStorage` context, and is told to stop by `signal`. A task
 * can be awaited like a promise, so an `async` function that returns one waits for it. When it fails, and nobody has asked for the result by the next turn of
 * the event loop, that is reported once, to `onError`; there is no `unhandledRejection` of the task's own. A task that awaits or returns
 * itself in its first step, before anything else was awaited, is told so; later that cannot be seen, and it never ends, unless it waits
 * with a signal or a timeout.
 *
 * **Interruption**: a wait that is aborted or times out leaves, and the task does not notice. `cancel` aborts its signal, and waits for its
 * end. A task that is cancelled before its first step does not run at all.
 *
 * **Fairness**: those who wait, and callbacks, hear of the end in order of their registration.
 *
 * @example
 * import { Task } from "effect-concurrency/promise"
 *
 * const untilAborted = (signal: AbortSignal) =>
 *   new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
 *
 * const task = new Task(({ signal }) => untilAborted(signal), { name: "watcher" })
 * const outcomes: Array<string> = []
 * task.onComplete(({ _tag }) => outcomes.push(_tag))
 * await Promise.resolve()
 * await task.cancel("not needed")
 *
 * console.log(outcomes, await task.wait().catch((reason) => reason)) // => [ 'Cancelled' ] not needed
 *
 * @since 0.1.0
 */
export class Task<out A> implements PromiseLike<A> {
  /** @internal */
  declare readonly [core.TypeId]: State<A>
  declare private stop: Signal | undefined
  declare private readonly reporter: Reporter | undefined
  declare private shared: Promise<A> | undefined

  constructor(work: (context: TaskContext) => A | PromiseLike<A>, options: TaskOptions = {}) {
    callable("new Task", "work", work)
    const state = (this[core.TypeId] = prepare("new Task", options))
    const stop = (this.stop = new Signal())
    const reporter = (this.reporter = options.onError)
    launch(state, stop, work, new Alone(state.name, reporter, follow("new Task", state, options.signal)))
  }

  /** Starts a function as a task: the same as `new Task`. */
  static start<A>(work: (context: TaskContext) => A | PromiseLike<A>, options?: TaskOptions): Task<A> {
    return new Task(work, options)
  }

  /** A view of the task that an Effect program, or other plain code, started. What is to be reported of it goes where its own failures go. */
  static from<A, E>(task: Effects.Task<A, E> | Task<A>): Task<A> {
    const { reporter } = (task ?? {}) as Task<A>
    return view(Task.prototype as Task<A>, "Task", core.TypeId, task as Task<A>, { reporter })
  }

  /** What it was named. */
  get name(): string | undefined {
    return this[core.TypeId].name
  }

  /** Aborts when the task is cancelled. */
  get signal(): AbortSignal {
    if (!this.stop) {
      this.stop = new Signal()
      wake(core.onStop(this[core.TypeId], this.stop))
    }
    return this.stop.signal
  }

  /** Waits for the end, and gives the value, or rejects with the error, or with the reason of the cancellation. */
  wait(options?: WaitOptions): Promise<A> {
    const state = this[core.TypeId]
    return attempt(() => {
      checkWait("Task.wait", options)
      if (inside === state && !state.outcome) throw misuse("Task.wait", core.itself)
      return result("Task.wait", state, options)
    })
  }

  /**
   * Waits for the end, as `await` does. (It is a property because `await` reads it at once and calls it later, when
   * nobody can say any more who awaits.)
   */
  // oxlint-disable-next-line unicorn/no-thenable -- a task is awaited
  get then(): Then<A> {
    return inside === this[core.TypeId] ? refuse : then
  }

  /** How it ended, or `Pending`. Does not count as asking for a failure. */
  poll(): TaskOutcome<A> | Pending {
    return this[core.TypeId].outcome ?? core.pending
  }

  /**
   * Cancels the task, with a reason (by default an `AbortError`), and waits for its end. Says whether it was still running: then it was
   * told to stop, and may yet end with a value or an error of its own. Called in the first step of the task itself it does not wait.
   */
  cancel(reason?: unknown, options: TaskCancelOptions = {}): Promise<boolean> {
    const where = "Task.cancel"
    const state = this[core.TypeId]
    return attempt(() => {
      const { grace, signal } = record(where, options)
      if (grace !== undefined) number(where, "grace", grace, 0)
      checkWait(where, { signal })
      if (!cancelNow(state, reason)) return false
      if (inside === state) return true
      const ticket = new PromiseTicket<boolean, Outcome<A>>(false, 0)
      return park(where, state, ticket, { signal, timeout: grace }, core.enqueue, core.leave).then(
        () => true,
        (error: unknown) => {
          if (signal?.aborted && error === signal.reason) throw error
          const message = `its cleanup has not ended ${grace} ms after it was cancelled`
          // The time is over: nobody waits for whoever is told, either.
          void report({ where, name: state.name, message, error: undefined }, this.reporter)
          return true
        }
      )
    })
  }

  /** Cancels the task, and does not wait. Says whether it was still running. */
  cancelNow(reason?: unknown): boolean {
    return cancelNow(this[core.TypeId], reason)
  }

  /**
   * Has a callback called when the task has ended: once, in the `AsyncLocalStorage` context of whoever registers it. When the task has ended already
   * it is called soon, and never before this returns. What it gives removes the callback, and says whether that was in time. A
   * callback that throws or rejects is reported, and nobody else notices.
   */
  onComplete(callback: (outcome: TaskOutcome<A>) => unknown): () => boolean {
    const where = "Task.onComplete"
    callable(where, "callback", callback)
    const state = this[core.TypeId]
    const ticket = new PromiseTicket<boolean, Outcome<A>>(true, 0)
    const ended = park<Outcome<A>, State, typeof ticket>(where, state, ticket, undefined, core.enqueue, core.leave)
    const call = async () => {
      const outcome = await ended
      try {
        await callback(outcome)
      } catch (error) {
        await report({ where, name: state.name, message: "a callback failed", error }, this.reporter)
      }
    }
    void call()
    return () => {
      const inTime = ticket.lane !== undefined
      if (inTime) core.leave(state, ticket)
      return inTime
    }
  }

  /** Cancels the task and waits for its end: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.cancel()
  }
}
