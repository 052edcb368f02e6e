/**
 * Somebody with turns: a fiber, a task of plain code, a callback of a timer.
 *
 * @internal
 */
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import type { FiberTicket } from "../internal/park.js"

export type RuntimeFiber = Fiber.RuntimeFiber<unknown, unknown>

interface Job {
  readonly run: () => void
  readonly priority: number
}

export class Thread {
  name: string | undefined = undefined
  fiber: RuntimeFiber | undefined = undefined
  /** What to do in the next turn. */
  jobs: Array<Job> = []
  private spare: Array<Job> = []
  /** The name of the fiber that it forks next. */
  naming: string | undefined = undefined
  /** Whether it may be interrupted from outside, and has not been. */
  victim = false
  /** How to interrupt what is no fiber. */
  abort: (() => void) | undefined = undefined
  /** Whether it ended, if it is no fiber. */
  ended = false
  /** Whether its last turn ended because somebody else was to go on. */
  preempted = false
  /** What it last said of itself. */
  label = ""
  /** What it waits for, if it is one of ours. Known in a recorded run, like what follows. */
  ticket: FiberTicket<any, any> | undefined = undefined
  /** The operation that it is at. */
  operation: unknown = undefined
  /** Whether it was ready before. */
  known = false

  constructor(private readonly index: number) {}

  toString(): string {
    return this.name ?? `fiber ${this.index}`
  }

  get done(): boolean {
    return this.fiber === undefined ? this.ended : this.fiber.unsafePoll() !== null
  }

  /** As the stock scheduler keeps the jobs of one fiber: lower priorities first, and one after the other within a priority. */
  add(run: () => void, priority: number): void {
    const { jobs } = this
    let index = jobs.length
    while (index > 0 && jobs[index - 1]!.priority > priority) index--
    if (index === jobs.length) jobs.push({ run, priority })
    else jobs.splice(index, 0, { run, priority })
  }

  /** Does all that there is to do. What comes up meanwhile is for another turn, as it is with the stock scheduler. */
  run(): void {
    const { jobs } = this
    this.jobs = this.spare
    this.spare = jobs
    try {
      for (let i = 0; i < jobs.length; i++) jobs[i]!.run()
    } finally {
      jobs.length = 0
    }
  }

  interrupt(): void {
    this.victim = false
    if (this.fiber === undefined) this.abort?.()
    else this.fiber.unsafeInterruptAsFork(FiberId.none)
  }
}
