/**
 * The interruption sweep: runs a scenario once to count the operations of its victim, then once for each operation, interrupting the
 * victim exactly there, and asks each time whether anything was lost.
 *
 * Effect 4's own tests of its semaphore do this; on Effect 3 a scheduler's `shouldYield`, which the run loop asks before each operation,
 * is the place to do it. It interrupts at operations where the stock scheduler never would, so it is stricter than production.
 */
import { Effect, type Exit, Fiber, Scheduler } from "effect"

export interface Scenario<S> {
  /** What the victim acts on, made anew for each run. */
  readonly setup: () => S
  /** What is interrupted. */
  readonly victim: (state: S) => Effect.Effect<unknown, unknown>
  /**
   * What goes on beside it, once it has run to where it waits (or ended): releases, offers. Runs to its end, whatever becomes of the
   * victim.
   */
  readonly meanwhile?: (state: S) => Effect.Effect<unknown, unknown>
  /** Throws, or gives a description, when something was lost. Everything has ended by then. */
  readonly verify: (state: S, exit: Exit.Exit<unknown, unknown>) => string | undefined | void
}

export interface Finding {
  /** The operation at which the victim was interrupted, from 1; 0 is the run without an interruption. */
  readonly operation: number
  readonly message: string
}

export interface Report {
  /** How many operations the victim has. */
  readonly operations: number
  readonly findings: ReadonlyArray<Finding>
}

/** Interrupts the victim at each of its operations in turn. */
export const sweep = async <S>(scenario: Scenario<S>): Promise<Report> => {
  const findings: Array<Finding> = []
  const { operations } = await run(scenario, 0, findings)
  for (let operation = 1; operation <= operations; operation++) await run(scenario, operation, findings)
  return { operations, findings }
}

/** A sweep that fails with what it found. */
export const sweepIsClean = async <S>(scenario: Scenario<S>): Promise<Report> => {
  const report = await sweep(scenario)
  if (report.operations < 3)
    throw new Error(`the victim has only ${report.operations} operations: is it the right one?`)
  if (report.findings.length > 0) {
    const list = report.findings.map(({ message, operation }) => `  at operation ${operation}: ${message}`).join("\n")
    throw new Error(`interrupted at ${report.findings.length} of ${report.operations} operations:\n${list}`)
  }
  return report
}

const run = async <S>(
  { meanwhile, setup, verify, victim }: Scenario<S>,
  operation: number,
  findings: Array<Finding>
): Promise<{ operations: number }> => {
  const state = setup()
  const stock = new Scheduler.MixedScheduler(2048)
  let seen = 0
  let fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined = undefined
  const scheduler: Scheduler.Scheduler = {
    shouldYield: (asking) => {
      fiber ??= asking
      if (asking === fiber && ++seen === operation) asking.unsafeInterruptAsFork(asking.id())
      return stock.shouldYield(asking)
    },
    scheduleTask: (task, priority, of) => stock.scheduleTask(task, priority, of)
  }
  const victimFiber = Effect.runFork(victim(state), { scheduler })
  fiber ??= victimFiber
  await quiet()
  if (meanwhile !== undefined) await Effect.runPromise(Effect.exit(meanwhile(state)))
  await quiet()
  const exit = victimFiber.unsafePoll()
  let message: string | undefined
  if (exit === null) message = "the victim never ends"
  else {
    try {
      message = verify(state, exit) ?? undefined
    } catch (error) {
      message = error instanceof Error ? error.message : String(error)
    }
  }
  if (message !== undefined) findings.push({ operation, message })
  if (exit === null) await Effect.runPromise(Fiber.interrupt(victimFiber).pipe(Effect.timeout(100), Effect.ignore))
  return { operations: seen }
}

/** Until nothing that was scheduled is left to run. */
const quiet = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}
