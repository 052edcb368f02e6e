/** What a benchmark is made of. The workloads are data; `main.ts` runs them. */

/** The timed part of a round. It returns how many operations it counted, so that a contender that skips work is found out. */
export type Round = () => number | Promise<number>

/** Prepares a round, untimed. It imports its own library only, so that no contender warms another up. */
export type Contender = (operations: number) => Round | Promise<Round>

/** Done by `asyncio_bench.py`, under this name. */
export interface Python {
  readonly python: string
}

export interface Workload {
  readonly name: string
  readonly sizes: ReadonlyArray<number>
  /** A round does this many operations for each unit of size. Default 1. */
  readonly repeat?: number
  /** `"bytes"`: the heap that a round leaves behind is measured, not its time. */
  readonly unit?: "ns" | "bytes"
  /** The first is ours, and what the others are compared with. */
  readonly contenders: Readonly<Record<string, Contender | Python>>
  /** The largest size for a contender that cannot stand more. */
  readonly upTo?: Readonly<Record<string, number>>
  /** The least ratio (theirs / ours) we want. Default 1: not ahead of us; for a floor 0: shown for information. */
  readonly aims?: Readonly<Record<string, number>>
  /** Ours at this size or a larger one should cost, an operation, at most `factor` times what it costs at the size `from`. */
  readonly flat?: { readonly from: number; readonly factor: number }
}

export const ours = "effect-concurrency"

/** Starts all calls at once and waits for all. */
export const all = async (count: number, call: (index: number) => Promise<unknown>): Promise<void> => {
  const calls = new Array<Promise<unknown>>(count)
  for (let i = 0; i < count; i++) calls[i] = call(i)
  await Promise.all(calls)
}

export const never = (): Promise<never> => new Promise(() => {})

/** Lets everything run that can run now. */
export const quiet = async (): Promise<void> => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0))
}
