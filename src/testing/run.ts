/**
 * One run of a scenario under one schedule: the scheduler of its fibers and tasks, which asks a chooser wherever there is a choice.
 *
 * Left to the default it does what the stock scheduler does: whoever became ready first goes on first, and all that a fiber has to do is done in
 * one turn.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { Scheduler } from "effect/Scheduler"
import * as Supervisor from "effect/Supervisor"
import { waits } from "../internal/park.js"
import type { Chooser, Model, Victims } from "./schedule.js"
import { attempt, type Tasks, tasksOf } from "./tasks.js"
import { type RuntimeFiber, Thread } from "./thread.js"
import { excerpt, operationText, type Trace } from "./trace.js"
import type { World } from "./world.js"

/**
 * What is explored: an Effect that forks fibers, or an `async` function that spawns tasks.
 *
 * @since 0.1.0
 * @category models
 */
export type Scenario = Effect.Effect<unknown, unknown> | ((tasks: Tasks) => PromiseLike<unknown>)

/** How a run came to its end. */
export type Ending =
  | { readonly _tag: "Success"; readonly value: unknown }
  | { readonly _tag: "Failure"; readonly error: unknown; readonly message: string }
  | { readonly _tag: "Deadlock" }
  | { readonly _tag: "Livelock" }

export interface Settings {
  readonly model: Model
  readonly victims: Victims
  /** Operations after which a run is taken to go on for ever. */
  readonly operations: number
}

/** Not a number: a number would wrap the fiber in more operations, each a point of its own. */
const plainly = undefined as unknown as number

const none: ReadonlyArray<Thread> = []

/** What reports call the scenario itself. */
const root = "main"

export class Run implements Scheduler {
  private readonly threads: Array<Thread> = []
  private readonly fibers = new Map<RuntimeFiber, Thread>()
  /** Those that may be interrupted from outside. */
  private readonly victims: Array<Thread> = []
  /** Those with something to do, in the order in which they got it. */
  private readonly ready: Array<Thread> = []
  /** Callbacks that belong to no fiber. The stock scheduler has one queue for all of them, too. */
  private callbacks: Thread | undefined = undefined
  /** Whose turn it is; or was, and its promises go on. */
  private current: Thread | undefined = undefined
  private running = false
  /** Who goes on after a preemption. */
  private next: Thread | undefined = undefined
  /** Whether time passes after a preemption. */
  private passing = false
  /** Whether the turn that goes on may be preempted. */
  private preemptible = false
  /** The first operations of a turn are no points: to preempt there is to give the turn to somebody else in the first place. */
  private fresh = 0
  private operations = 0
  private exhausted = false
  private over = false
  private ending: Ending | undefined = undefined
  /** Whether there was a choice. */
  chose = false

  constructor(
    private readonly world: World,
    private readonly settings: Settings,
    private readonly chooser: Chooser,
    private trace: Trace | undefined
  ) {
    world.begin((callback) => {
      const timer = new Thread(0)
      timer.name = "timer"
      this.enqueue(timer, callback, 0)
    })
    if (trace !== undefined) waits.observer = (ticket) => this.current && (this.current.ticket = ticket)
  }

  // ----------------------------------------------------------------------------------------------------------------- who there is

  private newThread(): Thread {
    const thread = new Thread(this.threads.length)
    this.threads.push(thread)
    return thread
  }

  private threadOf(fiber: RuntimeFiber): Thread {
    let thread = this.fibers.get(fiber)
    if (thread === undefined) {
      thread = this.newThread()
      thread.fiber = fiber
      this.fibers.set(fiber, thread)
      const parent = this.current
      if (parent?.naming !== undefined) {
        this.name(thread, parent.naming)
        parent.naming = undefined
      }
    }
    return thread
  }

  /** How many fibers and tasks there were, the root included. */
  get population(): number {
    return this.threads.length
  }

  private name(thread: Thread, name: string): void {
    thread.name = name
    const { victims } = this.settings
    if (victims !== true && !(Array.isArray(victims) && victims.includes(name))) return
    thread.victim = true
    this.victims.push(thread)
  }

  /** The names of those that could be interrupted from outside. */
  get victimNames(): ReadonlyArray<string> {
    return this.victims.map(String)
  }

  // ----------------------------------------------------------------------------------------------------------- Effect's scheduler

  scheduleTask(run: () => void, priority: number, fiber?: RuntimeFiber): void {
    this.enqueue(fiber === undefined ? (this.callbacks ??= callbackThread()) : this.threadOf(fiber), run, priority)
  }

  private enqueue(thread: Thread, run: () => void, priority: number): void {
    thread.add(run, priority)
    const { current, trace } = this
    // Whoever has a turn comes after those that became ready during it.
    if (thread.jobs.length === 1 && !(this.running && thread === current)) this.ready.push(thread)
    if (trace !== undefined && current !== undefined && current !== thread) {
      const verb = thread.known ? "wakes" : "starts"
      trace.note(() => `${verb} ${thread}`)
    }
    thread.known = true
  }

  /** Asked before each operation of each fiber. */
  shouldYield(fiber: RuntimeFiber): number | false {
    if (++this.operations > this.settings.operations) {
      this.exhausted = true
      return plainly
    }
    const thread = this.current
    if (thread === undefined || thread.fiber !== fiber || this.over) return false
    let preemptions = 0
    let others = 0
    if (this.fresh > 0) this.fresh--
    else if (this.preemptible) {
      others = this.ready.length
      preemptions = this.world.clock.pending ? others + 1 : others
    }
    const interruptions = thread.victim && this.settings.model === "aggressive" ? 1 : 0
    if (preemptions + interruptions === 0) return false
    this.chose = true
    const way = this.chooser.choose(0, preemptions, interruptions)
    if (way === 0) return false
    if (way > preemptions) {
      this.trace?.note(`interrupted at ${operationText(this.trace, thread.operation)}`)
      thread.interrupt()
      return false
    }
    this.trace?.preempt(`preempted before ${operationText(this.trace, thread.operation)}`)
    thread.preempted = true
    if (way <= others) this.next = this.ready[way - 1]
    else this.passing = true
    return plainly
  }

  // --------------------------------------------------------------------------------------------------------------------- turns

  /** Does one thing: somebody's next turn, an interruption, or a jump of the clock. Says whether there was one to do. */
  step(): boolean {
    if (this.exhausted || this.ending !== undefined) return false
    const { next, ready } = this
    if (next !== undefined) {
      this.next = undefined
      this.turn(next)
      return true
    }
    if (this.passing) {
      this.passing = false
      const before = ready.length
      this.pass()
      // Whom the time woke goes on, and not who was ready before.
      this.next = ready[before]
      return true
    }
    return this.choose()
  }

  private choose(): boolean {
    const { clock } = this.world
    const others = this.ready.length
    const reorderings = others > 1 ? others - 1 : 0
    const preemptions = others > 0 && this.settings.model !== "taskOrder" && clock.pending ? 1 : 0
    const victims = this.victims.length === 0 ? none : this.victims.filter((thread) => thread.victim && !thread.done)
    let way = 0
    if (reorderings + preemptions + victims.length > 0) {
      this.chose = true
      way = this.chooser.choose(reorderings, preemptions, victims.length)
    }
    if (way > reorderings + preemptions) {
      this.interrupt(victims[way - reorderings - preemptions - 1]!)
      return true
    }
    if (way > reorderings || others === 0) return this.pass()
    this.turn(this.ready[way]!)
    return true
  }

  private interrupt(victim: Thread): void {
    this.current = undefined
    this.trace?.between(`${victim} is interrupted from outside`)
    victim.interrupt()
  }

  /** Time passes, up to the next timer. Says whether there is one. */
  private pass(): boolean {
    const { clock } = this.world
    if (!clock.pending) return false
    this.current = undefined
    const before = clock.now
    clock.advance()
    this.trace?.between(`${clock.now - before} ms pass, it is ${clock.now} ms`)
    return true
  }

  private turn(thread: Thread): void {
    const { ready, trace } = this
    if (ready[0] === thread) ready.shift()
    else ready.splice(ready.indexOf(thread), 1)
    // Turns count too: a task has no operations, and may still go on for ever.
    if (++this.operations > this.settings.operations) this.exhausted = true
    this.current = thread
    this.preemptible = this.settings.model === "aggressive"
    // A fiber that was preempted takes up where it was with an operation that does nothing.
    this.fresh = thread.preempted ? 2 : 1
    thread.preempted = false
    thread.ticket = undefined
    trace?.begin(String(thread))
    this.running = true
    try {
      thread.run()
    } catch (error) {
      // Fibers and tasks keep their errors to themselves, the callbacks of timers do not.
      this.ending ??= { _tag: "Failure", error, message: `thrown by a callback: ${textOf(error)}` }
    }
    this.running = false
    if (thread.jobs.length > 0) ready.push(thread)
    if (trace?.last?.end === "" && thread.fiber !== undefined) trace.end(this.endOf(thread, thread.fiber))
  }

  // ------------------------------------------------------------------------------------------------------- from within a scenario

  /** The fiber that this one forks next has a name. */
  nameNext(fiber: RuntimeFiber, name: string): void {
    this.threadOf(fiber).naming = name
  }

  /** Somebody says where he is. */
  mark(fiber: RuntimeFiber, label: string): void {
    this.threadOf(fiber).label = label
    this.trace?.note(label)
  }

  /** Somebody did an unknown amount of work, and the budget of operations may run out from now on. */
  work(): void {
    if (this.settings.model === "elastic") this.preemptible = true
  }

  // ------------------------------------------------------------------------------------------------------------------- the whole

  start(scenario: Scenario): void {
    if (Effect.isEffect(scenario)) {
      const fiber = this.fork(scenario)
      this.threadOf(fiber).name = root
      fiber.addObserver((exit) => (this.ending ??= endingOf(exit)))
      return
    }
    const main = this.newThread()
    main.name = root
    const settle = (ending: Ending) => {
      main.ended = true
      this.ending ??= ending
    }
    this.enqueue(
      main,
      () =>
        void attempt(() => scenario(this.tasks())).then(
          (value) => settle({ _tag: "Success", value }),
          (error: unknown) => settle({ _tag: "Failure", error, message: textOf(error) })
        ),
      0
    )
  }

  private fork<A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> {
    const observer = this.trace && new Observer((fiber, operation) => this.observe(fiber, operation))
    return this.world.fork(effect, this, observer)
  }

  private tasks(): Tasks {
    return tasksOf({
      newThread: () => this.newThread(),
      name: (thread, name) => this.name(thread, name),
      enqueue: (thread, run) => this.enqueue(thread, run, 0),
      note: (text) => this.trace?.note(text),
      fork: (effect, name) => {
        const fiber = this.fork(effect)
        this.name(this.threadOf(fiber as RuntimeFiber), name)
        return fiber
      }
    })
  }

  /** Whether anybody came back although nobody was ready and no timer was set. */
  get stirred(): boolean {
    return !this.exhausted && this.ending === undefined && (this.ready.length > 0 || this.world.clock.pending)
  }

  get result(): Ending {
    return this.ending ?? (this.exhausted ? { _tag: "Livelock" } : { _tag: "Deadlock" })
  }

  /** Ends what is left, so that nothing of it stays in the process. */
  dispose(): void {
    if (this.trace !== undefined) waits.observer = undefined
    this.trace = undefined
    this.over = true
    let left = false
    for (const thread of this.threads) {
      if (thread.done) continue
      left = true
      thread.interrupt()
    }
    if (!left) return
    // Finalizers may run, but not for ever.
    this.exhausted = false
    this.operations = 0
    for (let turns = 0; turns < 10_000 && this.ready.length > 0; turns++) this.turn(this.ready[0]!)
  }

  // ------------------------------------------------------------------------------------------------------------------ for a reader

  /** Who is left, and what each waits for. */
  waiting(): ReadonlyArray<string> {
    if (this.trace === undefined) return []
    const lines: Array<string> = []
    for (const thread of this.threads) {
      if (thread.done) continue
      const { fiber, label } = thread
      const after = label === "" ? "" : `, after "${label}"`
      lines.push(`${thread} ${fiber === undefined ? "waits" : this.waitOf(thread, fiber)}${after}`)
    }
    return lines
  }

  private endOf(thread: Thread, fiber: RuntimeFiber): string {
    const exit = fiber.unsafePoll()
    if (exit === null) return thread.jobs.length > 0 ? "will go on" : this.waitOf(thread, fiber)
    if (exit._tag === "Success") return "ends"
    return Cause.isInterruptedOnly(exit.cause) ? "ends, interrupted" : `fails: ${excerpt(Cause.squash(exit.cause))}`
  }

  private waitOf(thread: Thread, fiber: RuntimeFiber): string {
    if (thread.ticket !== undefined) return `waits for ${thread.ticket.what}`
    // Whoever joins a fiber tells its id; whoever awaits a Deferred, that of the fiber that made it.
    const on = (fiber as unknown as { readonly _asyncBlockingOn: FiberId.FiberId | null })._asyncBlockingOn
    if (on === null || !FiberId.isRuntime(on)) return "waits"
    const other = this.threads.find((candidate) => candidate.fiber?.id() === on)
    if (other === undefined || other === thread) return "waits"
    return `waits for ${other}`
  }

  private observe(fiber: RuntimeFiber, operation: unknown): void {
    const { current, trace } = this
    if (current?.fiber !== fiber) return
    current.operation = operation
    trace?.operate()
  }
}

const callbackThread = (): Thread => {
  const thread = new Thread(0)
  thread.name = "callback"
  return thread
}

/** Told of each operation of the fibers of a recorded run. It costs time, so others have none. */
class Observer extends Supervisor.AbstractSupervisor<void> {
  readonly value = Effect.void

  constructor(override readonly onEffect: (fiber: RuntimeFiber, operation: unknown) => void) {
    super()
  }
}

const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending =>
  exit._tag === "Success"
    ? exit
    : { _tag: "Failure", error: Cause.squash(exit.cause), message: Cause.pretty(exit.cause) }

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
