/** The work of the workloads about tasks: a turn for each, and a count, as effects and as `async` functions. */
import type { Contender } from "./workload.js"

/**
 * What becomes of the pieces of work that are not the last one. That takes a turn and counts; the others do the same, or do it and fail, or
 * wait until it has ended. (Effects wait until they are interrupted, and count then.)
 */
export type Others = "succeed" | "fail" | "wait"

export type Body = import("effect").Effect.Effect<void, unknown>
export type Bodies = ReadonlyArray<Body>

/** Makes, of effects that count, the one that runs them. */
export type Runs = (bodies: Bodies) => Promise<import("effect").Effect.Effect<unknown, unknown>>

export const effects = (runs: Record<string, Runs>, others: Others = "succeed"): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(runs).map(([name, run]): [string, Contender] => [
      name,
      async (operations) => {
        const { Effect } = await import("effect")
        let done = 0
        const count = () => {
          done++
        }
        const last = Effect.map(Effect.yieldNow(), count)
        const other = {
          succeed: last,
          fail: Effect.flatMap(last, () => Effect.fail("no")),
          // `Effect.never` has a timer, too.
          wait: Effect.async<void>(() => Effect.sync(count))
        }[others]
        const program = await run(lastOf(operations, other, last))
        return async () => {
          await Effect.runPromise(program)
          return done
        }
      }
    ])
  )

export type Functions = ReadonlyArray<() => Promise<void>>

/** Makes, of async functions that count, what runs them. */
export type Calls = (functions: Functions) => Promise<() => Promise<unknown>>

/** One for all: to make an error takes longer than what is measured. */
const error = new Error("no")

export const functions = (calls: Record<string, Calls>, others: Others = "succeed"): Record<string, Contender> =>
  Object.fromEntries(
    Object.entries(calls).map(([name, call]): [string, Contender] => [
      name,
      async (operations) => {
        let done = 0
        let open!: () => void
        const gate = new Promise<void>((resolve) => (open = resolve))
        const turn = async () => {
          await Promise.resolve()
          done++
        }
        const other = {
          succeed: turn,
          fail: async () => {
            await turn()
            throw error
          },
          wait: async () => {
            await gate
            done++
          }
        }[others]
        const last = async () => {
          await turn()
          if (others === "wait") void openLater(open)
        }
        const run = await call(lastOf(operations, other, last))
        return async () => {
          await run()
          return done
        }
      }
    ])
  )

/** Whoever waits for the first to end has heard of it by then. */
const openLater = async (open: () => void): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
  open()
}

const lastOf = <A>(length: number, others: A, last: A): ReadonlyArray<A> =>
  Array.from({ length }, (_, i) => (i < length - 1 ? others : last))

/** Calls all, one after the other. */
export const started = (functions: Functions): Array<Promise<void>> => functions.map((f) => f())

/** How the floor is called for effects: the same, each in a fiber of its own, with nothing around. */
export const fibers = "floor: fibers"

/** Forks all and waits for all, whatever they end with. */
export const forked: Runs = async (bodies) => {
  const { Effect } = await import("effect")
  return Effect.flatMap(
    Effect.forEach(bodies, (body) => Effect.forkDaemon(body)),
    (fibers) => Effect.forEach(fibers, (fiber) => fiber.await, { discard: true })
  )
}

/** How many tasks there are, and how flat the cost of one should be. */
export const sized = { sizes: [10, 1_000, 20_000], flat: { from: 1_000, factor: 1.5 } }
