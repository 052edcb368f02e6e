/**
 * Task groups for `async` functions: several tasks that end together.
 *
 * It corresponds to `asyncio.TaskGroup`, with the differences that the Effect module names, and these: functions start at once, and not in
 * the next turn; nobody can stop a function, so it is told by its signal, and waited for; a body that waits for a task that fails sees
 * that error, which is not counted twice.
 *
 * @since 0.1.0
 */
import { callable, expect, misuse, record } from "../core/arguments.js"
import * as running from "../core/running.js"
import * as core from "../core/taskGroup.js"
import { TaskGroupClosed } from "../core/taskGroup.js"
import { wake } from "../core/ticket.js"
import type * as Effects from "../TaskGroup.js"
import { enter, isInside } from "./insiders.js"
import { attempt, checkWait, PromiseTicket, wait, type WaitOptions, watch } from "./park.js"
import { view } from "./view.js"

export { TaskGroupClosed, TaskGroupError } from "../core/taskGroup.js"

/**
 * How a task is started.
 *
 * @since 0.1.0
 */
export interface GroupTaskOptions {
  /** For messages, and for whoever looks. */
  readonly name?: string | undefined
  /** Ends this task alone, which the group does not mind. When it is aborted already, the task does not start. */
  readonly signal?: AbortSignal | undefined
}

/**
 * What a task of a group is given.
 *
 * @since 0.1.0
 */
export interface GroupTaskContext {
  /** Aborted when the task is to stop. */
  readonly signal: AbortSignal
}

/** A task, as long as it was not told to stop; or who only listens. Its signal is made when it is asked for. */
class Call extends PromiseTicket<undefined, core.Stop> implements GroupTaskContext, core.Member {
  older: running.Work | undefined = undefined
  newer: running.Work | undefined = undefined
  list: running.State<any> | undefined = undefined
  private controller: AbortController | undefined = undefined
  private told: { readonly reason: unknown } | undefined = undefined

  constructor(
    readonly name: string | undefined,
    readonly order: number
  ) {
    super(undefined, 0)
  }

  override wake(): void {
    this.stop(reasonOf(this.result!))
  }

  stop(reason: unknown): void {
    if (this.told) return
    this.told = { reason }
    this.controller?.abort(reason)
  }

  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.told) this.controller.abort(this.told.reason)
    }
    return this.controller.signal
  }

  /** Whether an error only says that what failed was told to stop. */
  isTold(error: unknown): boolean {
    return this.told !== undefined && (error === this.told.reason || (error as any)?.name === "AbortError")
  }
}

/** Why a task is told to stop. What was given from outside is handed on as it is. */
const reasonOf = (stop: core.Stop): unknown => {
  const { reason, why } = stop
  if (why !== "failure" && reason !== undefined) return reason
  let made = reasons.get(stop)
  if (made === undefined) {
    const what = why === "failure" ? "a task of the group has failed" : "the task group is stopping"
    made = Object.defineProperty(new DOMException(what, "AbortError"), "cause", { value: reason })
    reasons.set(stop, made)
  }
  return made
}

/** One for all whom a group tells: to make one takes the platform longer than all the rest. */
const reasons = new WeakMap<core.Stop, DOMException>()

/**
 * Calls a function as a member, and notes its end, before anybody else hears of it. A rejection is not unhandled then: the group has it.
 */
const call = <A>(state: core.State, member: Call, f: () => A | PromiseLike<A>, end?: () => void): Promise<A> => {
  const promise = attempt(f)
  promise.then(
    () => {
      end?.()
      wake(core.end(state, member, "done"))
    },
    (error: unknown) => {
      end?.()
      const isNews = !member.isTold(error) && !core.isRefusal(state, error)
      wake(core.end(state, member, isNews ? { errors: [error], fatal: false } : "cancelled"))
    }
  )
  return promise
}

/** Waits until all have ended; throws what has failed, or why the group was stopped from outside. */
const ended = async (where: string, state: core.State): Promise<void> => {
  await wait(where, state.members, undefined, undefined, running.enqueue, running.cancel)
  const outcome = core.claim(state, true)
  if (outcome?.failed) throw outcome.error
  if (outcome?.outside) throw outcome.outside.reason
}

/** Nobody needs to know: it is not unhandled. */
const handled = <A>(promise: Promise<A>): Promise<A> => {
  promise.catch(() => {})
  return promise
}

/**
 * A group of tasks: `await using group = new TaskGroup()`, or what `taskGroup` hands to its function. The same machine as the Effect
 * module's `TaskGroup`; `TaskGroup.from` shares one.
 *
 * **When to use**: `taskGroup` where one function starts the tasks, as that function is told when one of them fails. The class where they
 * are started from many places. For work that nobody waits for, use `Background`.
 *
 * **Details**: when a task fails, the signals of all others are aborted with an `AbortError` whose `cause` is the error, and the group
 * refuses further tasks. A task that then rejects with that, or with any `AbortError`, has not failed. A group that was made with `new`
 * has to be joined, or disposed of: until then it keeps what has failed, and tells nobody, since somebody may yet join. (`stats` says how
 * many have failed.)
 *
 * **Interruption**: an abort or a timeout of the group aborts the signals of all, and the group waits for them. What it rejects with is
 * then `signal.reason`, or the `TimeoutError`; if a task failed meanwhile, a `TaskGroupError` with the errors, whose `cause` that is. A
 * block with `await using` that throws, or a generator that is left in one, does not abort the tasks, but waits for them: nothing tells the
 * group. To stop them, `cancel` it in a `finally`.
 *
 * @example
 * import { TaskGroup } from "effect-concurrency/promise"
 *
 * const log: Array<string> = []
 * {
 *   await using group = new TaskGroup()
 *   void group.start(async () => log.push("one"))
 *   void group.start(async () => log.push("two"))
 * }
 *
 * console.log(log) // => [ 'one', 'two' ]
 *
 * @since 0.1.0
 */
export class TaskGroup {
  /** @internal */
  declare readonly [core.TypeId]: core.State
  private unwatch: (() => void) | undefined
  private listener: Call | undefined

  constructor(options: WaitOptions = {}) {
    const where = "new TaskGroup"
    checkWait(where, record(where, options))
    this[core.TypeId] = core.make("scope", (name, order) => new Call(name, order))
    this.unwatch = watchOutside(where, this[core.TypeId], options)
  }

  /** A view of the group that an Effect program, or other plain code, uses. */
  static from<E, Closed>(group: Effects.TaskGroup<E, Closed> | TaskGroup): TaskGroup {
    return view(TaskGroup.prototype, "TaskGroup", core.TypeId, group as TaskGroup)
  }

  /**
   * Calls a function as a task of the group, at once, in the context of the caller. The result is the function's own. If that is a
   * rejection nobody needs to look at it, since the group does. A group that is stopping or has ended rejects with `TaskGroupClosed`.
   */
  start<A>(f: (context: GroupTaskContext) => A | PromiseLike<A>, options: GroupTaskOptions = {}): Promise<A> {
    const where = "TaskGroup.start"
    const state = this[core.TypeId]
    return attempt(() => {
      const { name, signal } = record(where, options)
      callable(where, "f", f)
      expect(name === undefined || typeof name === "string", where, "name", "a string", name)
      const place = core.enter(state, name)
      if (place instanceof TaskGroupClosed) {
        const refused = Promise.reject(place)
        // A group that is stopping has a reason to tell. That one has ended is told nowhere else.
        return place.status === "stopping" ? handled(refused) : refused
      }
      if (signal !== undefined) {
        if (signal?.aborted) return handled(Promise.reject(signal.reason))
        checkWait(where, { signal })
      }
      const member = new Call(name, place)
      core.start(state, member)
      const unwatch = signal && watch(where, { signal }, (reason) => member.stop(reason))
      return call(state, member, () => enter(member, f, member), unwatch)
    })
  }

  /** Aborted when the group stops, for whatever reason. */
  get signal(): AbortSignal {
    if (this.listener === undefined) {
      this.listener = new Call(undefined, Infinity)
      wake(core.listen(this[core.TypeId], this.listener))
    }
    return this.listener.signal
  }

  /**
   * Ends the group early, and well: aborts the signals of all tasks, by default with an `AbortError`, and takes no further one. Nothing
   * happens when that was done before, or when the group has ended.
   */
  cancel(reason?: unknown): void {
    wake(core.cancel(this[core.TypeId], reason))
  }

  /**
   * Waits until all tasks have ended, also those that are started meanwhile, and rejects with what they failed with. After that the group
   * has ended. The errors are given to the first who joins. A group with a body ends with that, and cannot be joined.
   *
   * A task that joins its own group waits for itself: before it has awaited anything it is refused, and later that cannot be seen, and it never
   * ends. Refused means that nothing was done, also when the task would not have waited: it would have been the first, and the errors lost on
   * it.
   */
  async join(): Promise<void> {
    const where = "TaskGroup.join"
    const state = this[core.TypeId]
    if (state.keeper === "body") throw misuse(where, "the group ends with its body, and would wait for itself")
    if (isInside(state.members)) throw misuse(where, core.itself)
    wake(core.endScope(state))
    try {
      await ended(where, state)
    } finally {
      this.unwatch?.()
      this.unwatch = undefined
    }
  }

  /** Joins. What was given to who joined before is not thrown again. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.join()
  }

  /** A frozen snapshot. */
  stats(): core.Stats {
    return core.stats(this[core.TypeId])
  }
}

const watchOutside = (where: string, state: core.State, options: WaitOptions): (() => void) =>
  watch(where, options, (reason) => wake(core.outside(state, reason)))

/**
 * Calls a function that may start tasks, waits until all have ended, and gives what the function gives.
 *
 * **When to use**: for several pieces of one piece of work that succeed or fail as a whole.
 *
 * **Details**: when a task or the function fails, the signals of all others are aborted, `group.signal` too, and all are waited for. The
 * group rejects with the one error, or with a `TaskGroupError` (an `AggregateError`) that has all of them in order of their start, the
 * function's own last. Tasks may start tasks, also after the function has ended.
 *
 * **Interruption**: an abort or a timeout aborts the signals of all, and waits for them; see {@link TaskGroup}. When the signal is aborted
 * already, nothing runs.
 *
 * @example
 * import { taskGroup } from "effect-concurrency/promise"
 *
 * const product = await taskGroup(async (group) => {
 *   const six = group.start(async () => 6)
 *   const seven = group.start(async () => 7, { name: "seven" })
 *   return (await six) * (await seven)
 * })
 *
 * console.log(product) // => 42
 *
 * @since 0.1.0
 */
export const taskGroup = async <A>(
  body: (group: TaskGroup) => A | PromiseLike<A>,
  options: WaitOptions = {}
): Promise<A> => {
  const where = "taskGroup"
  callable(where, "body", body)
  checkWait(where, record(where, options))
  let member: Call
  const state = core.make("body", (name, order) => (member = new Call(name, order)))
  const group = view(TaskGroup.prototype, "TaskGroup", core.TypeId, { [core.TypeId]: state } as unknown as TaskGroup)
  const unwatch = watchOutside(where, state, options)
  const value = call(state, member!, () => body(group))
  try {
    await ended(where, state)
  } finally {
    unwatch()
  }
  return value
}
