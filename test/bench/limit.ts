/** Many tasks, five at a time: what p-limit is used for. */
import { contenders, limiters, type Limiter } from "./limiters.js"
import { all, type Contender, ours, type Workload } from "./workload.js"

const fiveAtATime =
  (limiter: Limiter): Contender =>
  async (operations) => {
    let done = 0
    const call = await limiter(5, async () => {
      done++
    })
    return async () => {
      await all(operations, call)
      return done
    }
  }

export const workloads: ReadonlyArray<Workload> = [
  {
    name: "tasks, 5 at a time",
    sizes: [1_000, 10_000, 100_000],
    aims: { [`${ours} acquire`]: 0 },
    upTo: { "@henrygd/queue/async-storage": 10_000 },
    contenders: { ...contenders(limiters, fiveAtATime), asyncio: { python: "limit" } }
  }
]
