/**
 * How an executor is made: what may be said of a pool, checked, and the defaults for the rest.
 *
 * @internal
 */
import { expect, integer, integerOrInfinity, number, oneOf, record } from "./arguments.js"

/** How a pool is made. Durations are milliseconds here. */
export interface Options {
  readonly min?: number | undefined
  readonly max?: number | undefined
  readonly concurrency?: number | undefined
  readonly backlog?: number | undefined
  readonly idleTime?: number | undefined
  readonly startTimeout?: number | undefined
  readonly grace?: number | undefined
  readonly neighbours?: Neighbours | undefined
  readonly maxMemory?: number | undefined
  readonly maxJobs?: number | undefined
  readonly deadline?: number | undefined
  readonly timeout?: number | undefined
}

/** What becomes of the jobs of a worker that had to be ended because of another one. */
export type Neighbours = "rerun" | "fail"

/** What the platform is, for whom there is no option. */
export interface Platform {
  /** How many processors there are. */
  readonly parallelism: number
  /** Whether the workers share memory: then what they were offered can be had back, and what spins can see that it is to stop. */
  readonly shared: boolean
}

export interface Settings {
  readonly min: number
  readonly max: number
  readonly concurrency: number
  /** How many may wait for a worker. */
  readonly backlog: number
  readonly shared: boolean
  /** How many jobs a worker is offered beside those that it runs, so that it need not wait for the next. */
  readonly ahead: number
  readonly idleTime: number
  readonly startTimeout: number
  readonly grace: number
  readonly neighbours: Neighbours
  readonly maxMemory: number
  readonly maxJobs: number
  readonly deadline: number
  readonly timeout: number
}

const offeredAhead = 32

export const settings = (where: string, options: Options, platform: Platform): Settings => {
  const {
    backlog = Infinity,
    concurrency = 1,
    max = platform.parallelism,
    neighbours = "rerun"
  } = record(where, options)
  const { min = 0, idleTime = 30_000, grace = 1000, maxMemory = Infinity, maxJobs = Infinity } = options
  const { deadline = Infinity, startTimeout = 10_000, timeout = Infinity } = options
  integer(where, "max", max, 1)
  return {
    max,
    min: integer(where, "min", min, 0, max),
    concurrency: integer(where, "concurrency", concurrency, 1),
    backlog: integerOrInfinity(where, "backlog", backlog, 0),
    shared: platform.shared,
    ahead: platform.shared ? offeredAhead : 0,
    idleTime: number(where, "idleTime", idleTime, 0),
    startTimeout: positive(where, "startTimeout", startTimeout),
    grace: number(where, "grace", grace, 0),
    neighbours: oneOf(where, "neighbours", neighbours, ["rerun", "fail"]),
    maxMemory: expect(maxMemory > 0, where, "maxMemory", "a number of bytes above 0", maxMemory, "number"),
    maxJobs: integerOrInfinity(where, "maxJobs", maxJobs, 1),
    deadline: number(where, "deadline", deadline, 0),
    timeout: checkTimeout(where, timeout)
  }
}

export const checkTimeout = (where: string, timeout: number): number => positive(where, "timeout", timeout)

/** A time in which something has to happen: in none at all, nothing can. */
const positive = (where: string, name: string, value: number): number => {
  number(where, name, value, 0)
  return expect(value > 0, where, name, "more than 0 milliseconds", value, "number")
}
