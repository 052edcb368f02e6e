/**
 * Work in the background, for `async` functions: a registry of tasks that nobody may lose sight of.
 *
 * @since 0.1.0
 */
import type * as Effects from "../Background.js"
import { callable, record, refusal } from "../core/arguments.js"
import * as core from "../core/background.js"
import * as running from "../core/running.js"
import * as semaphores from "../core/semaphore.js"
import * as tasks from "../core/task.js"
import { type Chain, wake } from "../core/ticket.js"
import { enter, forOthers, isBounded, isInside } from "./insiders.js"
import { Lease } from "./Lease.js"
import { attempt, checkWait, park, PromiseTicket, wait, type WaitOptions } from "./park.js"
import * as permits from "./permits.js"
import { describe, log, overdue, report, reportWithin, type Unhandled } from "./report.js"
import { follow, type Hooks, launch, prepare, result, Signal, type Task, type TaskContext, taskOf } from "./Task.js"
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
   * Where failures go that nobody waits for, once each. It may return a promise, which `awaitEmpty` and `close` wait for: `close` no longer
   * than `deadline` and `grace` say, and then tells the console. Should it fail itself, that is told on the console. It must not wait for the
   * registry, which waits for it. Default: `console.error`, with the name of the task.
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
 * a task from `start` and somebody has asked for it by the next turn of the event loop; what was cancelled is no failure. A race of `Wait` has a
 * failure as long as it goes on, and neither `awaitEmpty` nor `close` waits for that; what it leaves behind goes to `onError` then, and is waited
 * for from then on.
 *
 * **Interruption**: tasks are told to stop by their signal; that of a caller of `run` or `start` cancels the task. A wait that is aborted or
 * times out leaves, and the tasks do not notice.
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

  /** What a report says, as one line of text: where, which task, what happened, and the error. For an `onError` that writes lines. */
  static describe(failure: Unhandled): string {
    return describe(failure)
  }

  /** Starts a function as a task of the registry. Throws `BackgroundClosed` or `BackgroundFull` when it is not started. */
  start<A>(work: Work<A>, options: BackgroundTaskOptions = {}): Task<A> {
    const where = "Background.start"
    callable(where, "work", work)
    return this.launch(where, this.take(where, options, "awaited"), work, options.signal)
  }

  /**
   * Starts a function as a task of the registry, if that is open and has room; gives undefined where `start` would throw. There is room as
   * long as `backlog` lets one more wait for its turn: for "now or not at all", that is 0.
   */
  tryStart<A>(work: Work<A>, options: BackgroundTaskOptions = {}): Task<A> | undefined {
    const where = "Background.tryStart"
    callable(where, "work", work)
    const entry = new Entry(this[core.TypeId], prepare(where, options), this.reportPlain, "awaited")
    return core.tryAdd(this[core.TypeId], entry) ? this.launch(where, entry, work, options.signal) : undefined
  }

  /**
   * Starts a function that nobody waits for, or takes a promise that nobody waits for. Throws `BackgroundClosed` or `BackgroundFull` when it
   * is not taken; the failure of a promise is reported even then.
   */
  fireAndForget(work: Work<unknown> | PromiseLike<unknown>, options: BackgroundTaskOptions = {}): void {
    const where = "Background.fireAndForget"
    if (typeof work === "function") {
      this.begin(where, this.take(where, options, "forgotten"), work, options.signal)
      return
    }
    if (typeof work?.then !== "function") throw refusal(where, "work", "a function or a promise", work)
    try {
      this.begin(where, this.take(where, options, "running"), () => work, options.signal)
    } catch (refused) {
      void work.then(undefined, (error) => this.reportPlain(unheard(options?.name, error)))
      throw refused
    }
  }

  /**
   * Runs a function as a task of the registry, and gives what it gives. An abort of `signal` cancels the task, and the caller waits for its
   * end; for work that outlives its caller there is `start`. When somebody else cancels the task, this rejects with the reason. Inside a task
   * of the same registry it needs a turn beside that of its caller: with a concurrency, both may wait for ever.
   */
  run<A>(work: Work<A>, options: BackgroundTaskOptions = {}): Promise<A> {
    const where = "Background.run"
    return attempt(() => {
      callable(where, "work", work)
      checkWait(where, { signal: record(where, options).signal })
      const entry = this.take(where, options, "awaited")
      this.begin(where, entry, work, options.signal)
      return result<A>(where, entry.task, undefined)
    })
  }

  /** How many tasks have not ended. */
  get size(): number {
    return core.size(this[core.TypeId])
  }

  /**
   * Waits until every task has ended and every failure is reported. A task that waits for that waits for itself: before it has awaited
   * anything it is told so, and later that cannot be seen, and it never ends, unless it waits with a signal or a timeout.
   */
  awaitEmpty(options?: WaitOptions): Promise<void> {
    const where = "Background.awaitEmpty"
    const emptied = this.emptied(where, options)
    return isBounded(options) ? emptied : forOthers(where, core.itself, this[core.TypeId].works, emptied)
  }

  private async emptied(where: string, options: WaitOptions | undefined): Promise<void> {
    checkWait(where, options)
    if (!core.isEmpty(this[core.TypeId])) await this.until(where, "empty", options)
  }

  /**
   * Cancels the tasks that there are, all at once, with a reason (by default an `AbortError`), and waits for their end. Gives how many there
   * were. Called in the first step of one of the tasks it does not wait; later that cannot be seen.
   */
  cancelAll(reason?: unknown, options?: WaitOptions): Promise<number> {
    const where = "Background.cancelAll"
    return attempt(async () => {
      checkWait(where, options)
      const state = this[core.TypeId]
      const all = core.tasks(state)
      wake(core.stopAll(state, reason === undefined ? stopped(where) : reason))
      if (isInside(state.works)) return all.length
      const ends = all.map((task) =>
        park(where, task, new PromiseTicket<boolean, tasks.Outcome>(false, 0), options, tasks.enqueue, tasks.leave)
      )
      await Promise.all(ends)
      return ends.length
    })
  }

  /**
   * Closes the registry, as its options say, and gives the names of the tasks that it gave up: those that a draining had to cancel, those
   * whose end it did not wait for, and those whose failure `onError` has not dealt with in time, which is told on the console instead. From
   * here on `start` throws `BackgroundClosed`. Several may close it: each waits as long as the options say, and what is given up is reported
   * once.
   *
   * A task may close its own registry, and need not look at the promise. If it waits for it, it waits for itself: before it has awaited anything
   * it is told so, by a rejection of that wait, and later that cannot be seen. With options that set an end to the waiting, it waits until then.
   *
   * Reports do not keep it open: while they are all that is left they have the shorter of `deadline` and `grace`, and what was to be told
   * while it drained has had its time at the deadline.
   */
  close(): Promise<ReadonlyArray<string>> {
    const state = this[core.TypeId]
    const closing = this.perform()
    return core.isBounded(state) ? closing : forOthers("Background.close", core.itself, state.works, closing)
  }

  /** Closes the registry: for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }

  /** Takes a task in. It has to begin: the registry waits for it. */
  private take(where: string, options: BackgroundTaskOptions, kind: Kind): Entry {
    const entry = new Entry(this[core.TypeId], prepare(where, options), this.reportPlain, kind)
    const refused = core.add(this[core.TypeId], entry)
    if (refused) throw refused
    return entry
  }

  private launch<A>(where: string, entry: Entry, work: Work<A>, signal: AbortSignal | undefined): Task<A> {
    this.begin(where, entry, work, signal)
    return taskOf(entry.task, entry, this.reportPlain)
  }

  private begin<A>(where: string, entry: Entry, work: Work<A>, signal: AbortSignal | undefined): void {
    const { semaphore } = this[core.TypeId]
    const { task } = entry
    entry.unfollow = follow(where, task, signal)
    const first: Work<A> = (context) => enter(entry, work, context)
    launch(task, entry, semaphore && entry.limited ? inTurn(where, semaphore, task, first) : first, entry)
  }

  private until(where: string, until: core.Until, options: WaitOptions | undefined): Promise<undefined> {
    const enqueue = (state: core.State, ticket: running.Waiting) => core.enqueue(state, until, ticket)
    return wait(where, this[core.TypeId], undefined, options, enqueue, running.cancel)
  }

  /** Closes, step by step. */
  private async perform(): Promise<ReadonlyArray<string>> {
    const where = "Background.close"
    const state = this[core.TypeId]
    const reason = stopped(where)
    let step = core.close(state, reason)
    for (;;) {
      const { chain, givenUp, message, until, wait: timeout } = step
      wake(chain)
      for (const task of step.overdue) overdue(unheard(task.name, (task.outcome as tasks.Failure).error))
      if (timeout === undefined) return core.namesOf(givenUp)
      const failure = message === undefined ? undefined : { where, name: undefined, message, error: undefined }
      const tell = step.overdue.length > 0 ? log : this.reportPlain
      const told = failure && reportWithin(core.patience(state), tell, failure)
      const inTime = await this.until(where, until, { timeout }).then(
        () => true,
        () => false
      )
      await told
      step = core.proceed(state, step, reason, inTime)
    }
  }
}

/** Whether somebody may ask for the outcome; whether it is too late not to start it. */
type Kind = "awaited" | "forgotten" | "running"

/** A task in the registry, and what that has to know of it: one object, since there are many. */
class Entry extends Signal implements Hooks, core.Entry {
  older: running.Work | undefined = undefined
  newer: running.Work | undefined = undefined
  list: running.State<any> | undefined = undefined
  readonly limited: boolean
  readonly forgotten: boolean
  readonly running: boolean
  unfollow = nothing

  constructor(
    private readonly registry: core.State,
    readonly task: tasks.State,
    private readonly tell: (failure: Unhandled) => unknown,
    kind: Kind
  ) {
    super()
    this.running = kind === "running"
    this.forgotten = kind !== "awaited"
    this.limited = !this.running
  }

  get name(): string | undefined {
    return this.task.name
  }

  ended(failed: boolean): Chain {
    this.unfollow()
    return core.remove(this.registry, this, failed)
  }

  reported(): Chain {
    return core.reported(this.registry, this)
  }

  unclaimed(): void {
    core.unclaimed(this.registry, this)
  }

  async report(error: unknown): Promise<void> {
    await this.tell(unheard(this.task.name, error))
  }
}

const nothing = (): void => {}

/** Work that begins when its turn has come. */
const inTurn =
  <A>(where: string, semaphore: semaphores.State, task: tasks.State<A>, work: Work<A>): Work<A> =>
  (context) =>
    semaphores.available(semaphore, 1, 0)
      ? permits.run(where, semaphore, 1, undefined, () => work(context))
      : turn(where, semaphore, task).then((lease) => {
          const release = () => lease.release()
          const result = attempt(() => {
            // Told to stop in the tick of the grant, it does not begin.
            if (task.stop !== undefined) throw task.stop.reason ?? stopped("Background")
            return work(context)
          })
          void result.then(release, release)
          return result
        })

/** Waits for a permit. Told to stop, it leaves: by a ticket, for a signal for each that waits would cost more than all the rest. */
const turn = async (where: string, semaphore: semaphores.State, task: tasks.State): Promise<Lease> => {
  const ticket = new PromiseTicket<number, semaphores.Grant>(1, 0)
  const leave = new PromiseTicket<undefined, tasks.Stop>(undefined, 0)
  leave.resume = () => {
    // What was granted in the same tick goes back with it.
    wake(semaphores.cancel(semaphore, ticket))
    ticket.resume(undefined)
  }
  const granted = park<number, semaphores.State, typeof ticket>(
    where,
    semaphore,
    ticket,
    undefined,
    semaphores.enqueue,
    semaphores.cancel
  )
  wake(tasks.onStop(task, leave))
  const epoch = await granted
  if (task.stop) throw task.stop.reason ?? stopped("Background")
  leave.resume = () => {}
  return new Lease(semaphore, 1, epoch)
}

const unheard = (name: string | undefined, error: unknown): Unhandled => ({
  where: "Background",
  name,
  message: core.unheard,
  error
})

const stopped = (where: string) => new DOMException(`${where}: the task was cancelled`, "AbortError")
