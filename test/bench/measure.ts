/** What runs in a contender's own process. */
import type { Contender, Workload } from "./workload.js"

export interface Budget {
  readonly warmUpMs: number
  readonly measureMs: number
  /** A sample is as many rounds as fill this. */
  readonly sampleMs: number
}

/**
 * Nanoseconds for an operation: the median of several samples. Garbage is collected when it is due: a forced collection between samples
 * throws away optimized code that refers to objects of the sample before, and so would measure warm-up. For `unit: "bytes"`, bytes for a waiter.
 */
export const measure = async (
  workload: Workload,
  contender: Contender,
  size: number,
  budget: Budget
): Promise<number> => {
  const operations = size * (workload.repeat ?? 1)
  if (workload.unit === "bytes") return heapGrowth(contender, operations)

  /** Rounds that take, together, as long as that; fewer when preparing them, which is not timed, takes longer than they do. */
  const sample = async (ms: number) => {
    const begin = performance.now()
    let elapsed = 0
    let rounds = 0
    while (rounds === 0 || (elapsed < ms && performance.now() - begin < 2 * ms)) {
      const round = await contender(operations)
      const start = performance.now()
      const counted = await round()
      elapsed += performance.now() - start
      expectCount(counted, operations)
      rounds++
    }
    return (elapsed * 1e6) / (rounds * operations)
  }

  await sample(budget.warmUpMs)
  const samples: Array<number> = []
  const begin = performance.now()
  const spent = () => performance.now() - begin
  while (spent() < budget.measureMs || (samples.length < 3 && spent() < 4 * budget.measureMs)) {
    samples.push(await sample(budget.sampleMs))
  }
  return median(samples)
}

let keep: unknown

const heapGrowth = async (contender: Contender, operations: number): Promise<number> => {
  const warm = await contender(1_000)
  await warm()
  const round = (keep = await contender(operations))
  globalThis.gc!()
  const before = process.memoryUsage().heapUsed
  expectCount(await round(), operations)
  globalThis.gc!()
  const after = process.memoryUsage().heapUsed
  if (keep !== round) throw new Error("unreachable: what waits is kept until here")
  return (after - before) / operations
}

const expectCount = (counted: number, expected: number): void => {
  if (counted !== expected) throw new Error(`did ${counted} operations instead of ${expected}`)
}

const median = (values: ReadonlyArray<number>): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
