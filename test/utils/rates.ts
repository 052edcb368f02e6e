/** What the properties of the rate limiters share, of one that decides by itself and of one over a store. */
import { assert } from "@effect/vitest"
import * as fc from "effect/FastCheck"
import type { Options } from "../../src/core/rateLimiter.js"

export interface Taken {
  readonly at: number
  readonly cost: number
}

/** The most units in any interval, whenever it begins. */
export const mostInAnInterval = (log: ReadonlyArray<Taken>, interval: number): number =>
  log.reduce((most, { at: from }) => {
    const sum = log.reduce((sum, { at, cost }) => (at >= from && at < from + interval ? sum + cost : sum), 0)
    return Math.max(most, sum)
  }, 0)

/** The most that an interval may have: of a bucket, what it had at its beginning as well. */
export const mostOf = ({ burst, limit }: Options): number => (burst === undefined ? limit : limit + burst)

// ----------------------------------------------------------------------------------------------------------------------------- cores

/** A core with what drives it: who is in line, a clock, and whatever is on its way. */
export interface RateMachine {
  now: number
  /** Does something of a kind, for a key; `n` chooses among what there is to choose from. */
  act(kind: string, key: string, cost: number, n: number): void
  /** When something is due; Infinity: never. */
  nextAt(): number
  /** Does what is due. */
  step(): void
  /** Throws when an invariant does not hold. */
  check(): void
  /** Lets everything happen that is still to happen. */
  comeToRest(): void
  /** What was taken of a key, and not given back. */
  kept(key: string): ReadonlyArray<Taken>
}

/** Time goes on, and stops where something is due. */
export const advance = (machine: RateMachine, until: number): void => {
  for (let at; (at = machine.nextAt()) <= until;) {
    machine.now = Math.max(machine.now, at)
    machine.step()
    machine.check()
  }
  machine.now = until
}

const anyOptions = fc.record({
  limit: fc.integer({ min: 1, max: 5 }),
  interval: fc.integer({ min: 1, max: 12 }),
  burst: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  backlog: fc.option(fc.nat({ max: 6 }), { nil: undefined, freq: 3 })
})

const keys = ["a", "b", "c"]

/** Whatever happens in whatever order: what `check` says holds all the time, it comes to rest, and no interval has more than it may. */
export const holdsTheRate = (
  make: (options: Options) => RateMachine,
  kinds: ReadonlyArray<readonly [kind: string, cost: fc.Arbitrary<number>]>,
  numRuns: number
): void => {
  const command = ([kind, cost]: readonly [string, fc.Arbitrary<number>]) =>
    fc.record({ kind: fc.constant(kind), n: fc.nat({ max: 100 }), cost })
  const commands = fc.array(fc.oneof(...[...kinds, ["advance", fc.nat({ max: 8 })] as const].map(command)), {
    maxLength: 80
  })
  fc.assert(
    fc.property(anyOptions, commands, (options, commands) => {
      const machine = make(options)
      const most = options.burst ?? options.limit
      for (const { cost, kind, n } of commands) {
        if (kind === "advance") advance(machine, machine.now + cost)
        else machine.act(kind, keys[n % keys.length]!, cost % (most + 1), n)
        machine.check()
      }
      machine.comeToRest()
      for (const key of keys) assert.isAtMost(mostInAnInterval(machine.kept(key), options.interval), mostOf(options))
    }),
    { numRuns }
  )
}

// ------------------------------------------------------------------------------------------------------------------------------ laws

/** A limiter, and who comes when, wants how much, and gives up when which one comes. */
export interface Run {
  readonly options: Options
  readonly steps: ReadonlyArray<{ readonly cost: number; readonly wait: number; readonly cancel: number }>
}

export const anyRun = (backlog: fc.Arbitrary<number | undefined>): fc.Arbitrary<Run> =>
  fc
    .record({
      limit: fc.integer({ min: 1, max: 3 }),
      interval: fc.integer({ min: 2, max: 6 }),
      even: fc.boolean(),
      backlog,
      steps: fc.array(
        fc.record({ cost: fc.integer({ min: 1, max: 3 }), wait: fc.nat({ max: 4 }), cancel: fc.nat({ max: 12 }) }),
        { maxLength: 12 }
      )
    })
    .map(({ backlog, even, interval, limit, steps }) => ({
      options: { limit, interval, backlog, burst: even ? limit : undefined },
      steps: steps.map((step) => ({ ...step, cost: Math.min(step.cost, limit) }))
    }))

/** Long enough for all of a run to be over. */
export const restOf = ({ options }: Run): number => 13 * 3 * options.interval
