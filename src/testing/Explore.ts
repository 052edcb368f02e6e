/**
 * The explorer: runs a scenario under many schedules, and shows the smallest one that fails.
 *
 * An ordinary test runs the one schedule that the runtime happens to make. This runs those that it could have made: in which order whoever is
 * ready goes on, where a fiber is preempted, where it is interrupted. Time is virtual, and a deadlock is a result rather than a
 * timeout of the test.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Inspectable from "effect/Inspectable"
import { callable, expect, integer, number, oneOf, record } from "../core/arguments.js"
import { fork as forkChild, withFiber } from "../internal/effect.js"
import { type Ending, Run, type Scenario } from "./run.js"
import type { Chooser, Deviation, Model, Schedule, Victims } from "./schedule.js"
import { Follow, format, models, parse, Points } from "./schedule.js"
import type { Attempt, Strategy } from "./search.js"
import { exhaustive, fastCheck, random } from "./search.js"
import { elapsed, eventually, realResources, turn } from "./seams.js"
import type { RuntimeFiber } from "./thread.js"
import { count, Trace } from "./trace.js"
import { alone, World } from "./world.js"

export type { Scenario } from "./run.js"
export type { Model } from "./schedule.js"
export type { Task, Tasks } from "./tasks.js"

/**
 * How to explore.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * What the scheduler may do.
   *
   * - `"taskOrder"`: only the order of what is ready changes. Whatever this finds, plain production code can do.
   * - `"elastic"`: besides, once a fiber has done an unknown amount of work (`Explore.work`), it may be preempted at any later operation
   *   of that turn, as Effect does when its budget of 2,048 operations is used up. Production can do that too, under load.
   * - `"aggressive"`, the default: a fiber may be preempted, and interrupted, at any operation. More than the stock scheduler does, and
   *   what Effect 4 holds its own semaphore to. A finding may need a schedule that production does not have today.
   */
  readonly model?: Model | undefined
  /** The most preemptions in a schedule: an integer, 0 or more. Default 1. Most bugs need one or two. Reorderings are not limited. */
  readonly bound?: number | undefined
  /**
   * Which fibers and tasks are interrupted from outside, one of them in a schedule: `true` for each that has a name, or a list of names. Default: none. A
   * task is interrupted by its signal.
   */
  readonly interrupt?: boolean | ReadonlyArray<string> | undefined
  /**
   * In which order to try schedules. `"exhaustive"`, the default: all, the smallest first, as far as `runs` and `time` reach.
   * `"random"`: by chance, for what is too large for that. `"fastCheck"`: made and shrunk by fast-check.
   */
  readonly strategy?: "exhaustive" | "random" | "fastCheck" | undefined
  /** The most schedules to run: an integer, 1 or more. Default 20,000. */
  readonly runs?: number | undefined
  /** The most real time to spend, in milliseconds. Default 5,000. */
  readonly time?: number | undefined
  /** Of the chances of `"random"` and `"fastCheck"`, and of the sample where `"exhaustive"` cannot run all. An integer. Default 0. */
  readonly seed?: number | undefined
  /**
   * Whether an Effect scenario waits for promises that settle by themselves: those of `async` functions. Default `false`, which is
   * several times as fast. Scenarios that are functions always do.
   */
  readonly promises?: boolean | undefined
  /** Operations after which a run is a livelock: an integer, 1 or more. Default 100,000. */
  readonly operations?: number | undefined
}

/**
 * What an exploration came to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report {
  /** How many schedules were run. */
  readonly schedules: number
  /** Whether these were all that there are within the bound. */
  readonly complete: boolean
  /** How many milliseconds of real time it took. */
  readonly milliseconds: number
  /** How many runs gave each of the values that the scenario ended with, as text. Of at most 100 different ones. */
  readonly outcomes: ReadonlyMap<string, number>
  /** The smallest schedule that failed. */
  readonly finding: Finding | undefined
}

/**
 * A schedule that fails, as an error whose message is the whole story.
 *
 * @since 0.1.0
 * @category models
 */
export class Finding extends Error {
  override readonly name = "Finding"

  constructor(
    /** What is wrong: the scenario failed; nobody could go on; it never came to an end; or it did not do the same again. */
    readonly kind: "failure" | "deadlock" | "livelock" | "nondeterminism",
    readonly model: Model,
    /** For `Explore.replay`. */
    readonly replay: string,
    /** How many deviations from the stock scheduler's order it takes. */
    readonly size: number,
    /** Who had a turn, in order, and what became of it. */
    readonly trace: string,
    message: string,
    /** What the scenario failed with. */
    override readonly cause: unknown
  ) {
    super(message)
  }
}

/**
 * One run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replay {
  /** What went wrong, if it did. */
  readonly finding: Finding | undefined
  /** What the scenario ended with. */
  readonly value: unknown
  readonly trace: string
}

// ------------------------------------------------------------------------------------------------------------------------- exploring

const strategies: Record<NonNullable<Options["strategy"]>, Strategy> = { exhaustive, random, fastCheck }

type Settings = { readonly [K in Exclude<keyof Options, "interrupt">]-?: NonNullable<Options[K]> } & {
  readonly interrupt: Victims
}

/**
 * Explores, and rejects with a `Finding` when a schedule fails.
 *
 * **When to use**: in a test, for code that has to be right whoever goes first.
 *
 * **Details**: a scenario is an Effect that forks fibers (name them with `Explore.fork`) and then checks what they did, or an `async` function that
 * spawns tasks. It must make all that it uses anew, and do the same when the same schedule comes again. It fails when it fails,
 * dies, rejects, deadlocks or never ends. Bad options are a `TypeError` or `RangeError`; a scenario that forks nothing, or waits for
 * real time or for a promise from elsewhere, is an error that says what to do.
 *
 * While it lasts, the platform's clocks, timers and random numbers are virtual for the whole process, so
 * explorations that are begun together take place one after the other, and no other test should go on beside them.
 *
 * @example
 * import { Effect, Fiber } from "effect"
 * import { Mutex } from "effect-concurrency"
 * import { Explore } from "effect-concurrency/testing"
 *
 * const counter = (protect: <A>(self: Effect.Effect<A>) => Effect.Effect<A>) =>
 *   Effect.gen(function* () {
 *     let count = 0
 *     const increment = protect(
 *       Effect.flatMap(
 *         Effect.sync(() => count),
 *         (seen) => Effect.sync(() => (count = seen + 1))
 *       )
 *     )
 *     const first = yield* Explore.fork("first", increment)
 *     const second = yield* Explore.fork("second", increment)
 *     yield* Fiber.join(first)
 *     yield* Fiber.join(second)
 *     if (count !== 2) return yield* Effect.fail(`counted ${count}`)
 *   })
 *
 * const { finding } = await Explore.report(counter((self) => self))
 * console.log(finding?.kind, finding?.size) // => failure 1
 *
 * const locked = Effect.suspend(() => counter(Mutex.makeUnsafe().withLock))
 * const { complete } = await Explore.check(locked)
 * console.log(complete) // => true
 *
 * @see Explore.report to get the finding rather than have it thrown
 * @since 0.1.0
 * @category exploring
 */
export const check = async (scenario: Scenario, options?: Options): Promise<Report> => {
  const result = await explore("Explore.check", scenario, options)
  if (result.finding !== undefined) throw result.finding
  return result
}

/**
 * Explores, and reports what it found.
 *
 * **When to use**: for a scenario that is meant to fail, and for tables. In tests, `Explore.check`.
 *
 * @example
 * import { Deferred, Effect, Fiber } from "effect"
 * import { Explore } from "effect-concurrency/testing"
 *
 * const stuck = Effect.gen(function* () {
 *   const never = yield* Deferred.make<void>()
 *   yield* Fiber.join(yield* Explore.fork("waiter", Deferred.await(never)))
 * })
 *
 * const { finding } = await Explore.report(stuck)
 * console.log(finding?.kind) // => deadlock
 *
 * @see Explore.check to have the finding thrown
 * @since 0.1.0
 * @category exploring
 */
export const report = (scenario: Scenario, options?: Options): Promise<Report> =>
  explore("Explore.report", scenario, options)

/**
 * Interrupts each fiber that has a name, one in a schedule, at each of its operations and wherever it waits.
 *
 * **When to use**: for whatever takes something and has to give it back: nothing may be lost, however unlucky the moment.
 *
 * **Details**: the same as `Explore.check` with `interrupt: true` and `bound: 0`, which options change. The scenario has to stand
 * the interruption of what it forked: wait with `Fiber.await` rather than `Fiber.join`. With the model `"taskOrder"` only those who wait or have not gone on
 * yet are interrupted.
 *
 * @example
 * import { Effect, Fiber } from "effect"
 * import { Mutex } from "effect-concurrency"
 * import { Explore } from "effect-concurrency/testing"
 *
 * const { complete } = await Explore.interruptEverywhere(
 *   Effect.gen(function* () {
 *     const mutex = yield* Mutex.make()
 *     const user = yield* Explore.fork("user", mutex.withLock(Effect.yieldNow()))
 *     yield* Fiber.await(user)
 *     if (yield* mutex.isLocked) return yield* Effect.fail("still locked")
 *   })
 * )
 * console.log(complete) // => true
 *
 * @since 0.1.0
 * @category exploring
 */
export const interruptEverywhere = async (scenario: Scenario, options?: Options): Promise<Report> => {
  const where = "Explore.interruptEverywhere"
  const { bound = 0, interrupt = true } = options === undefined ? {} : record(where, options)
  const result = await explore(where, scenario, { ...options, bound, interrupt })
  if (result.finding !== undefined) throw result.finding
  return result
}

/**
 * Runs a scenario under the one schedule that a finding printed.
 *
 * **When to use**: to see a finding again, with a debugger or after a change, and to keep it as a regression test.
 *
 * **Details**: when the scenario has changed so that the schedule does not fit any more, that is an error. A model alone, such as
 * `"aggressive"`, is the schedule without a deviation: the stock scheduler's order.
 *
 * @example
 * import { Effect, Fiber } from "effect"
 * import { Explore } from "effect-concurrency/testing"
 *
 * const order = Effect.gen(function* () {
 *   const names: Array<string> = []
 *   const first = yield* Explore.fork("first", Effect.sync(() => names.push("first")))
 *   const second = yield* Explore.fork("second", Effect.sync(() => names.push("second")))
 *   yield* Fiber.join(first)
 *   yield* Fiber.join(second)
 *   if (names[0] !== "first") return yield* Effect.fail("out of order")
 * })
 *
 * const { finding } = await Explore.report(order, { model: "taskOrder" })
 * console.log(finding?.replay) // => taskOrder 0.1
 *
 * const again = await Explore.replay(order, "taskOrder 0.1")
 * console.log(again.finding?.cause) // => out of order
 *
 * @since 0.1.0
 * @category exploring
 */
export const replay = async (
  scenario: Scenario,
  text: string,
  options?: Pick<Options, "operations">
): Promise<Replay> => {
  const where = "Explore.replay"
  const schedule = parse(where, text)
  const settings = {
    ...settingsOf(where, scenario, options),
    model: schedule.model,
    interrupt: schedule.victims,
    promises: schedule.promises
  }
  return alone(async () => {
    const subject = new Subject(where, scenario, settings)
    const { ending, follow, trace, waiting } = await subject
      .recorded(schedule.deviations)
      .finally(() => subject.world.leave())
    if (!follow.followed) {
      throw new Error(
        `${where}: the schedule ${JSON.stringify(text)} does not fit this scenario: it was made for another, or for another version of it. ` +
          "Explore again, and keep what that prints."
      )
    }
    return {
      finding: isFinding(ending) ? findingOf(schedule, ending, waiting, trace) : undefined,
      value: ending._tag === "Success" ? ending.value : undefined,
      trace: trace.toString()
    }
  })
}

const explore = async (where: string, scenario: Scenario, options: Options | undefined): Promise<Report> => {
  const settings = settingsOf(where, scenario, options)
  return alone(async () => {
    const subject = new Subject(where, scenario, settings)
    try {
      return await exploring(subject, settings)
    } finally {
      subject.world.leave()
    }
  })
}

const exploring = async (subject: Subject, settings: Settings): Promise<Report> => {
  const started = elapsed()
  let schedules = 0
  let breath = started
  const outcomes = new Map<string, number>()

  const attempt: Attempt = (chooser) => {
    schedules++
    const outcome = subject.execute(chooser, undefined)
    return outcome instanceof Promise ? outcome.then(judge) : afterwards(judge(outcome))
  }
  const judge = ({ ending }: Outcome): boolean => {
    if (isFinding(ending)) return true
    if (ending._tag === "Success" && ending.value !== undefined) tally(outcomes, ending.value)
    return false
  }
  /** Lets the event loop breathe now and then, since a test runner has to hear of us. */
  const afterwards = (failed: boolean): boolean | Promise<boolean> => {
    const now = schedules % 64 === 0 ? elapsed() : breath
    if (now - breath < 100) return failed
    breath = now
    subject.world.leave()
    return turn().then(() => failed)
  }
  const left = () => (elapsed() - started > settings.time ? 0 : settings.runs - schedules)

  const points = new Points()
  const found = (await attempt(new Follow([], undefined, points)))
    ? { deviations: [], complete: false }
    : await strategies[settings.strategy](
        attempt,
        {
          bound: settings.bound,
          interruptions: settings.interrupt === false ? 0 : 1,
          seed: settings.seed,
          left
        },
        points
      )
  const { complete, deviations } = found
  let finding: Finding | undefined
  if (deviations !== undefined) finding = await explain(subject, settings, deviations)
  else {
    subject.verify()
    if (!(await subject.repeats(points))) finding = await explain(subject, settings, [])
  }
  return { schedules, complete, milliseconds: elapsed() - started, outcomes, finding }
}

const tally = (outcomes: Map<string, number>, value: unknown): void => {
  const text = Inspectable.toStringUnknown(value, 0)
  const times = outcomes.get(text)
  if (times !== undefined || outcomes.size < 100) outcomes.set(text, (times ?? 0) + 1)
}

const isFinding = (ending: Ending): boolean => ending._tag !== "Success"

/** Runs a failing schedule twice more, recorded: for the story, and to see whether it is the same story each time. */
const explain = async (
  subject: Subject,
  settings: Settings,
  deviations: ReadonlyArray<Deviation>
): Promise<Finding> => {
  const schedule: Schedule = {
    model: settings.model,
    promises: settings.promises,
    victims: settings.interrupt,
    deviations
  }
  const { ending, follow, trace, waiting } = await subject.recorded(deviations)
  const again = await subject.recorded(deviations)
  const same =
    follow.followed &&
    isFinding(ending) &&
    again.ending._tag === ending._tag &&
    again.trace.toString() === trace.toString() &&
    // The schedule without a deviation passed, or this would be it.
    (deviations.length === 0 || !isFinding((await subject.recorded([])).ending))
  if (same) return findingOf(schedule, ending, waiting, trace)
  const text = format(schedule)
  return new Finding(
    "nondeterminism",
    settings.model,
    text,
    deviations.length,
    trace.toString(),
    [
      "the scenario did something else when the same schedule came again, or had other ways to go on.",
      "It must not depend on what is left from an earlier run, on the real time, or on chance: make everything that it uses inside it.",
      "",
      `One run of ${text}:`,
      trace.toString(),
      "",
      "Another:",
      again.trace.toString()
    ].join("\n"),
    undefined
  )
}

const headlines: Record<Exclude<Ending["_tag"], "Success">, string> = {
  Failure: "the scenario fails",
  Deadlock: "deadlock: nobody is ready, no timer is set, and the scenario has not ended",
  Livelock: "livelock: the scenario did not end within the operations that it may have"
}

const findingOf = (schedule: Schedule, ending: Ending, waiting: ReadonlyArray<string>, trace: Trace): Finding => {
  const { _tag } = ending as Exclude<Ending, { _tag: "Success" }>
  const text = format(schedule)
  const size = schedule.deviations.length
  const story = trace.toString()
  const message = [
    headlines[_tag],
    ...(ending._tag === "Failure" ? ["", ...ending.message.split("\n").map((line) => `  ${line}`)] : []),
    ...(ending._tag === "Deadlock" ? ["", ...waiting.map((line) => `  ${line}`)] : []),
    "",
    `The schedule (model ${schedule.model}, ${size === 0 ? "the stock order" : count(size, "deviation")}):`,
    "",
    story,
    "",
    `To see it again: Explore.replay(scenario, ${JSON.stringify(text)})`
  ].join("\n")
  return new Finding(
    _tag.toLowerCase() as Lowercase<typeof _tag>,
    schedule.model,
    text,
    size,
    story,
    message,
    ending._tag === "Failure" ? ending.error : undefined
  )
}

// -------------------------------------------------------------------------------------------------------------- running a scenario

interface Outcome {
  readonly ending: Ending
  /** Who had not ended, and what each waited for. Known in recorded runs. */
  readonly waiting: ReadonlyArray<string>
}

/** A scenario with what it is run under. */
class Subject {
  readonly world = new World()
  private readonly resources = realResources()
  private population = 0
  private chose = false
  private readonly victims = new Set<string>()
  private readonly run: { readonly model: Model; readonly victims: Victims; readonly operations: number }

  constructor(
    private readonly where: string,
    private readonly scenario: Scenario,
    private readonly settings: Settings
  ) {
    this.run = { model: settings.model, victims: settings.interrupt, operations: settings.operations }
  }

  execute(chooser: Chooser, trace: Trace | undefined): Outcome | Promise<Outcome> {
    this.world.enter()
    const run = new Run(this.world, this.run, chooser, trace)
    if (this.settings.promises) return this.executeWithPromises(run)
    run.start(this.scenario)
    while (run.step());
    return run.result._tag === "Deadlock" ? this.confirm(run) : this.finish(run)
  }

  /** Whatever promises do by themselves is over before each choice, so that the same choices meet the same state. */
  private async executeWithPromises(run: Run): Promise<Outcome> {
    run.start(this.scenario)
    do {
      await turn()
      while (run.step()) await turn()
      await turn()
    } while (run.stirred)
    return run.result._tag === "Deadlock" ? this.confirm(run) : this.finish(run)
  }

  /** Nobody was ready. If somebody is a moment later, then because of something that is not ours. */
  private async confirm(run: Run): Promise<Outcome> {
    await turn()
    if (!run.stirred && realResources() > this.resources) await eventually(() => run.stirred, 50)
    if (run.stirred || run.result._tag !== "Deadlock") {
      run.dispose()
      throw this.uncontrolled()
    }
    return this.finish(run)
  }

  private uncontrolled(): Error {
    const { promises } = this.settings
    return new Error(
      `${this.where}: the scenario waits for something that the explorer does not control: ` +
        (promises
          ? "real time or input. Sleep with Effect.sleep or with the global setTimeout, which are virtual here."
          : "a promise, real time, or input. Set the option `promises: true` for `async` functions that settle by themselves; " +
            "sleep with Effect.sleep or the global setTimeout, which are virtual here.")
    )
  }

  private finish(run: Run): Outcome {
    const ending = run.result
    this.population = Math.max(this.population, run.population)
    this.chose ||= run.chose
    if (this.settings.interrupt !== false) for (const name of run.victimNames) this.victims.add(name)
    const waiting = run.waiting()
    run.dispose()
    return { ending, waiting }
  }

  /** What only a whole exploration shows to be a mistake. */
  verify(): void {
    const { chose, population, settings, victims, where } = this
    if (population < 2 && !chose) {
      throw new Error(
        `${where}: the scenario has a single fiber, so there is only one schedule. Fork what is to interleave, with Explore.fork; ` +
          "in an async function, with spawn."
      )
    }
    const { interrupt } = settings
    if (interrupt === true && victims.size === 0) {
      throw new Error(
        `${where}: nobody can be interrupted, since no fiber or task has a name. Fork the fiber to interrupt with Explore.fork.`
      )
    }
    const missing = typeof interrupt === "boolean" ? [] : interrupt.filter((name) => !victims.has(name))
    if (missing.length > 0) {
      throw new RangeError(
        `${where}: interrupt names ${missing.map((name) => JSON.stringify(name)).join(", ")}, and no fiber or task has that name. Name it with Explore.fork.`
      )
    }
  }

  /** Whether the schedule without a deviation still comes by the same points. */
  async repeats(points: Points): Promise<boolean> {
    const again = new Points()
    const { ending } = await this.execute(new Follow([], undefined, again), undefined)
    return !isFinding(ending) && String(again.copy()) === String(points.copy())
  }

  async recorded(
    deviations: ReadonlyArray<Deviation>
  ): Promise<Outcome & { readonly follow: Follow; readonly trace: Trace }> {
    const trace = new Trace()
    const follow = new Follow(deviations, undefined, new Points())
    return { ...(await this.execute(follow, trace)), follow, trace }
  }
}

const settingsOf = (where: string, scenario: Scenario, options: Options = {}): Settings => {
  const {
    bound = 1,
    interrupt = false,
    model = "aggressive",
    operations = 100_000,
    promises = false,
    runs = 20_000,
    seed = 0,
    strategy = "exhaustive",
    time = 5_000
  } = record(where, options)
  expect(
    Effect.isEffect(scenario) || typeof scenario === "function",
    where,
    "scenario",
    "an Effect or an async function",
    scenario
  )
  oneOf(where, "model", model, models)
  oneOf(where, "strategy", strategy, ["exhaustive", "random", "fastCheck"])
  integer(where, "bound", bound, 0)
  integer(where, "runs", runs, 1)
  integer(where, "operations", operations, 1)
  integer(where, "seed", seed, -(2 ** 31), 2 ** 31)
  number(where, "time", time, 0)
  expect(typeof promises === "boolean", where, "promises", "true or false", promises)
  expect(
    typeof interrupt === "boolean" || (Array.isArray(interrupt) && interrupt.every((name) => typeof name === "string")),
    where,
    "interrupt",
    "true, false, or a list of names",
    interrupt
  )
  return {
    bound,
    interrupt: Array.isArray(interrupt) && interrupt.length === 0 ? false : interrupt,
    model,
    operations,
    promises: promises || !Effect.isEffect(scenario),
    runs,
    seed,
    strategy,
    time
  }
}

// ----------------------------------------------------------------------------------------------------------------- within a scenario

/**
 * Forks a fiber under a name: the name by which reports speak of it and by which it can be interrupted. Outside an exploration, a plain fork.
 *
 * **When to use**: for whatever a scenario forks. Fibers that are forked otherwise are explored as well, but have no name.
 *
 * @see Explore.interruptEverywhere for what a name is good for
 * @since 0.1.0
 * @category scenarios
 */
export const fork = <A, E, R>(
  name: string,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Fiber.RuntimeFiber<A, E>, never, R> => {
  expect(typeof name === "string", "Explore.fork", "name", "a string", name)
  const child = forkChild(expect(Effect.isEffect(effect), "Explore.fork", "effect", "an Effect", effect))
  return withFiber((parent) => {
    runOf(parent as RuntimeFiber)?.nameNext(parent as RuntimeFiber, name)
    return child
  })
}

/**
 * Says in the trace where a fiber is.
 *
 * **When to use**: where a finding would be hard to follow without. Who is stuck in a deadlock is shown with the last step that he said.
 *
 * **Details**: nobody else goes on because of it, other than at a task's `step`. Outside an exploration it does nothing.
 *
 * @since 0.1.0
 * @category scenarios
 */
export const step = (label: string): Effect.Effect<void> =>
  withFiber((fiber) => {
    runOf(fiber as RuntimeFiber)?.mark(fiber as RuntimeFiber, label)
    return Effect.void
  })

/**
 * Stands for an unknown amount of work: from here on, under the model `"elastic"`, the fiber may be preempted in this turn.
 *
 * **When to use**: at the beginning of what a scenario forks, and after each wait in it, to have `"elastic"` explore it all.
 *
 * **Details**: Effect preempts a fiber when it did 2,048 operations without a wait. Who knows how many a caller did before he called. Outside
 * an exploration, and under the other models, it does nothing.
 *
 * @since 0.1.0
 * @category scenarios
 */
export const work: Effect.Effect<void> = withFiber((fiber) => {
  runOf(fiber as RuntimeFiber)?.work()
  return Effect.void
})

const runOf = (fiber: RuntimeFiber): Run | undefined => {
  const { currentScheduler } = fiber
  return currentScheduler instanceof Run ? currentScheduler : undefined
}

// -------------------------------------------------------------------------------------------------------------------------- testing

/** The part of a test function of Vitest, or of a runner like it, that is needed here. */
type TestFunction = (name: string, test: () => Promise<unknown>, timeout?: number) => unknown

/**
 * Adds `it.explore` to the `it` of a test runner: `const it = Explore.extend(vitest.it)`.
 *
 * **When to use**: in a file with several scenarios. For one, `Explore.check` in a test of your own.
 *
 * **Details**: `it.explore(name, scenario, options)` is a test that fails with the finding. It may take as long as `options.time` allows,
 * and 5 seconds more.
 *
 * @since 0.1.0
 * @category testing
 */
export const extend = <It extends TestFunction>(
  it: It
): It & { readonly explore: (name: string, scenario: Scenario, options?: Options) => void } => {
  callable("Explore.extend", "it", it)
  const extended: It = Object.setPrototypeOf(
    (...args: ReadonlyArray<unknown>) => Reflect.apply(it, undefined, args),
    it
  )
  return Object.assign(extended, {
    explore: (name: string, scenario: Scenario, options?: Options) => {
      it(name, () => check(scenario, options), (options?.time ?? 5_000) + 5_000)
    }
  })
}
