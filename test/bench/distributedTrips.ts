/**
 * Counts the round trips of the workloads of `distributed.ts`: how often the server found something to read, by `INFO stats`, for an operation. What
 * is sent together is one. A pair of a lock is one to acquire and one to release.
 *
 * usage: tsc -p src && tsc -p test/bench && node test/bench/dist/distributedTrips.js
 */
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { workloads } from "./distributed.js"
import { client } from "./distributedServer.js"
import type { Contender } from "./workload.js"

/** In a process of its own, as when it is timed: else those before it would be counted, who still listen. */
const trips = async (contender: Contender, operations: number): Promise<number> => {
  const info = await client()
  const reads = async () => Number(/total_reads_processed:(\d+)/.exec(await info.info("stats"))![1])
  await (
    await contender(operations)
  )()
  const round = await contender(operations)
  const before = await reads()
  await round()
  // The question is one itself.
  return ((await reads()) - before - 1) / operations
}

const self = fileURLToPath(import.meta.url)
const [name, contender] = process.argv.slice(2)

if (name === undefined) {
  console.log("| workload | contender | round trips |\n| --- | --- | ---: |")
  for (const { contenders, name } of workloads) {
    for (const contender of Object.keys(contenders)) {
      const counted = execFileSync(process.execPath, [self, name, contender], { encoding: "utf8" })
      console.log(`| ${name} | ${contender} | ${Number(counted).toFixed(2)} |`)
    }
  }
} else {
  const workload = workloads.find((workload) => workload.name === name)!
  const operations = workload.sizes[0]! * (workload.repeat ?? 1)
  console.log(await trips(workload.contenders[contender!] as Contender, operations))
  process.exit()
}
