/**
 * Work in the background, for `async` functions: a registry of tasks that nobody may lose sight of.
 *
 * @since 0.1.0
 */
import type * as Effects from "../Background.js"
import { callable, record, refusal } from "../core/arguments.js"
import * as core from "../core/background.js"
import * as tasks from "../core/task.js"
import { wake } from "../core/ticket.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions } from "./park.js"
import * as permits from "./permits.js"
import { report, type Unhandled } from "./report.js"
import { follow, launch, prepare, Signal, type Task, type TaskContext, taskOf } from "./Task.js"
import { view } from "./view.js"

export { BackgroundClosed, BackgroundFull } from "../core/background.js"

export type {
  /**
   * What is reported: which task, what happened to it, and why.
   *
   * @since 0.1.0
   */
  Unhandled
}

/**
 * How a registry is made.
 *
 * @since 0.1.0
 */
export interface BackgroundOptions {
  /** How many tasks run at a time: an integer, 1 or more. Others wait for their turn, in order of their start. Default: all that there are. */
  readonly concurrency?: number | undefined
  /**
   * How many tasks may wait for their turn: an integer, 0 or more, or Infinity. One more is refused with `BackgroundFull`. It needs a
   * concurrency. Default: any number.
   */
  readonly backlog?: number | undefined
  /**
   * Where failures go that nobody waits for, once each. It may return a promise, which `awaitEmpty` and `close` wait for. Should it
   * fail itself, that is told on the console. Default: `console.error`, with the name of the task.
   */
  readonly onError?: ((failure: Unhandled) => unknown) | undefined
  /** What closing does to the tasks: `"interrupt"`, the default, cancels them all at once; `"drain"` lets them end first. */
  readonly onClose?: core.OnClose | undefined
  /**
   * How many milliseconds a closing that drains waits for the tasks. What has not ended then is cancelled, and reported by name. Default:
   * as long as it takes.
   */
  readonly deadline?: number | undefined
  /**
   * How many milliseconds closing waits for the end of the tasks that it cancelled. What has not ended then is left behind, and reported
   * by name. Default: as long as it takes.
   */
  readonly grace?: number | undefined
}

/**
 * How a task of a registry is started.
 *
 * @since 0.1.0
 */
export interface BackgroundTaskOptions {
  /** For reports, and for whoever looks. */
  readonly name?: string | undefined
  /** Cancels the task, with `signal.reason`. When it is aborted already, nothing runs. */
  readonly signal?: AbortSignal | undefined
}

type Work<A> = (context: TaskContext) => A | PromiseLike<A>

/**
 * A registry of tasks in the background. The same machine as the Effect module's `Background`; `Background.from` shares one.
 *
 * **When to use**: for work that nobody waits for where it is started, and that must neither be lost, nor fail unseen, nor outlive the
 * program. With `await using` it is closed at the end of its block.
 *
 * **Details**: a function starts in the next tick, in its caller's `AsyncLocalStorage` context. A promise is work that runs already: it is
 * held and its failure reported, and neither concurrency nor backlog apply to it. A failure goes to `onError`, unless it is that of
 * a task from `start` and somebody has asked for it by the next turn of the event loop; what was cancelled is no failure.
 *
 * **Interruption**: tasks are told to stop by their signal. A wait that is aborted or times out leaves, and the tasks do not notice.
 *
 * **Fairness**: with a concurrency, tasks run in order of their start.
 *
 * @example
 * import { Background } from "effect-concurrency/promise"
 *
 * const failures: Array<string> = []
 * const background = new Background({ onError: ({ name, error }) => failures.push(`${name}: ${error}`) })
 * background.fireAndForget(async () => Promise.reject("no route"), { name: "send mail" })
 * const answer = await background.start(() => 42)
 * await background.close()
 *
 * console.log(answer, failures) // => 42 [ 'send mail: no route' ]
 *
 * @since 0.1.0
 */
export class Background {
  /** @internal */
  declare readonly [core.TypeId]: core.State
  /** @internal */
  readonly reportPlain: (failure: Unhandled) => unknown

  constructor(options: BackgroundOptions = {}) {
    const { onError } = record("new Background", options)
    if (onError !== undefined) callable("new Background", "onError", onError)
    this[core.TypeId] = core.make("new Background", options)
    this.reportPlain = (failure) => report(failure, onError)
  }

  /** A view of the registry that an Effect program, or other plain code, uses. */
  static from<Full>(background: Effects.Background<Full> | Background): Background {
    return view(Background.prototype, "Background", core.TypeId, background, { reportPlain: background?.reportPlain })
  }

  /** Starts a function as a task of the registry. Throws `BackgroundClosed` or `BackgroundFull` when it is not started. */
  start<A>(work: Work<A>, options: BackgroundTaskOptions = {}): Task<A> {
    const where = "Background.start"
    return this.launch(where, callable(where, "work", work), options, true, false)
  }

  /**
   * Starts a function that nobody waits for, or takes a promise that nobody waits for. Throws `BackgroundClosed` or `BackgroundFull` when it
   * is not taken; the failure of a promise is reported even then.
   */
  fireAndForget(work: Work<unknown> | PromiseLike<unknown>, options: BackgroundTaskOptions = {}): void {
    const where = "Background.fireAndForget"
    if (typeof work === "function") {
      this.launch(where, work, options, true, true)
      return
    }
    if (typeof work?.then !== "function") throw refusal(where, "work", "a function or a promise", work)
    try {
      this.launch(where, () => work, options, false, true)
    } catch (refused) {
      const name = options?.name
      const message = "it failed, and nobody waits for it"
      void work.then(undefined, (error) => this.reportPlain({ where: "Background", name, message, error }))
      throw refused
    }
  }

  /** How many tasks have not ended. */
  get size(): number {
    return this[core.TypeId].tasks.size
  }

  /** Waits until every task has ended and every failure is reported. */
  async awaitEmpty(options?: WaitOptions): Promise<void> {
    const state = this[core.TypeId]
    checkWait("Background.awaitEmpty", options)
    if (!core.isEmpty(state)) {
      await wait("Background.awaitEmpty", state, undefined, options, core.enqueue, core.cancel)
    }
  }

  /** Cancels the tasks that there are, all at once, with a reason (by default an `AbortError`), and waits for their end. Gives how many there were. */
  cancelAll(reason?: unknown, options?: WaitOptions): Promise<number> {
    const where = "Background.cancelAll"
    return attempt(async () => {
      checkWait(where, options)
      const { tasks: all } = this[core.TypeId]
      const states = Array.from(all.keys())
      wake(core.stopAll(this[core.TypeId], reason === undefined ? stopped(where) : reason))
      const ends = states.map((state) =>
        park(where, state, new PromiseTicket<boolean, tasks.Outcome>(false, 0), options, tasks.enqueue, tasks.leave)
      )
      await Promise.all(ends)
      return ends.length
    })
  }

  /**
   * Closes the registry, as its options say, and gives the names of the tasks that it gave up: those that a draining had to cancel, and
   * those whose end it did not wait for. From here on `start` throws `BackgroundClosed`.
   */
  async close(): Promise<ReadonlyArray<string>> {
    const state = this[core.TypeId]
    core.close(state)
    const drain = state.onClose === "drain"
    if (drain && (await this.isEmptyWithin(state.deadline))) return []
    const names = drain ? core.names(state) : []
    wake(core.stopAll(state, stopped("Background.close")))
    await this.say("had not ended by the deadline, and were cancelled", names)
    if (await this.isEmptyWithin(state.grace)) return names
    const left = core.names(state)
    await this.say("had not cleaned up in time, and were left behind", left)
    return names.length > 0 ? names : left
  }

  /** Closes the registry: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }

  private launch<A>(
    where: string,
    work: Work<A>,
    options: BackgroundTaskOptions,
    limited: boolean,
    forgotten: boolean
  ): Task<A> {
    const state = this[core.TypeId]
    const task = prepare(where, options)
    const refused = core.add(state, task, limited)
    if (refused) throw refused
    const { semaphore } = state
    const stop = new Signal()
    const unfollow = follow(where, task, options.signal)
    const limitedWork: Work<A> =
      semaphore && limited
        ? (context) => permits.run(where, semaphore, 1, { signal: context.signal }, () => work(context))
        : work
    launch(task, stop, limitedWork, {
      running: !limited,
      forgotten,
      ended: (failed) => {
        unfollow()
        return core.remove(state, task, failed)
      },
      reported: () => core.reported(state),
      report: async (error) => {
        const message = "it failed, and nobody waits for it"
        await this.reportPlain({ where: "Background", name: task.name, message, error })
      }
    })
    return taskOf(task, stop, this.reportPlain)
  }

  /** Says whether the registry is empty in time. */
  private async isEmptyWithin(timeout: number): Promise<boolean> {
    try {
      await this.awaitEmpty({ timeout })
      return true
    } catch {
      return false
    }
  }

  private async say(what: string, names: ReadonlyArray<string>): Promise<void> {
    if (names.length === 0) return
    await this.reportPlain({
      where: "Background.close",
      name: undefined,
      message: core.abandoned(what, names),
      error: undefined
    })
  }
}

const stopped = (where: string) => new DOMException(`${where}: the task was cancelled`, "AbortError")
