/**
 * Runs the workloads: each contender in a process of its own, the contenders taking turns over several repetitions, so that
 * what else the machine does hits all alike.
 *
 * usage: npm run bench -- [--filter NAME]... [--quick] [--json | --markdown]
 */
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { availableParallelism, cpus, release } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs, promisify } from "node:util"
import { type Budget, measure } from "./measure.js"
import { compare, merged, messageIn, type Row, text, widths } from "./report.js"
import type { Contender, Workload } from "./workload.js"

const groups = [
  "lock",
  "limit",
  "rates",
  "pacing",
  "queue",
  "streaming",
  "waiters",
  "abort",
  "tasks",
  "groups",
  "waits",
  "shields",
  "timeouts",
  "retries",
  "breakers",
  "executors",
  "bridges",
  "distributed",
  "policies",
  "memory"
]

const load = async (group: string): Promise<ReadonlyArray<Workload>> =>
  ((await import(`./${group}.js`)) as { workloads: ReadonlyArray<Workload> }).workloads

const { values: args } = parseArgs({
  options: {
    filter: { type: "string", multiple: true, default: [] },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    markdown: { type: "boolean", default: false },
    /** Internal: what a contender's own process is to measure, as JSON. */
    child: { type: "string" }
  }
})

const repetitions = args.quick ? 1 : 3
const budget: Budget = args.quick
  ? { warmUpMs: 250, measureMs: 150, sampleMs: 20 }
  : { warmUpMs: 700, measureMs: 600, sampleMs: 50 }

interface Job {
  readonly group: string
  readonly workload: string
  readonly contender: string
  readonly size: number
}

const child = async ({ contender, group, size, workload: name }: Job): Promise<void> => {
  const workload = (await load(group)).find((workload) => workload.name === name)!
  console.log(await measure(workload, workload.contenders[contender] as Contender, size, budget))
  process.exit()
}

const run = promisify(execFile)

/** Nanoseconds or bytes; NaN, and a line on stderr, when the contender cannot run. */
const spawn = async (job: Job, workload: Workload): Promise<number> => {
  const contender = workload.contenders[job.contender]!
  const operations = job.size * (workload.repeat ?? 1)
  const [command, argv] =
    "python" in contender
      ? // -I: the directory of the script is not searched for modules.
        [
          "python3",
          ["-I", here("../asyncio_bench.py"), contender.python, operations, budget.warmUpMs, budget.measureMs]
        ]
      : [
          process.execPath,
          ["--expose-gc", here("main.js"), ...(args.quick ? ["--quick"] : []), "--child", JSON.stringify(job)]
        ]
  try {
    return Number((await run(command, argv.map(String), { timeout: 180_000 })).stdout)
  } catch (error) {
    const { code, stderr = "" } = error as { code?: unknown; stderr?: string }
    const reason = code === "ENOENT" ? `${command} is not there` : (messageIn(stderr) ?? "it did not end")
    console.error(`skipped: ${job.workload} / ${job.size} / ${job.contender}: ${reason}`)
    return NaN
  }
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** A quick run has two of them: the one that the largest is compared with, and the largest. */
const sizesOf = ({ flat, sizes }: Workload): ReadonlyArray<number> =>
  args.quick ? [...new Set([flat?.from ?? sizes[0]!, sizes.at(-1)!])] : sizes

/** The contenders of a workload at each of its sizes, with ours, that match the filter. */
const bench = async (group: string, workload: Workload): Promise<ReadonlyArray<Row>> => {
  const names = Object.keys(workload.contenders)
  const matches = (name: string) => args.filter.some((part) => name.toLowerCase().includes(part.toLowerCase()))
  const whole = args.filter.length === 0 || matches(workload.name)
  // In the table all rows of a workload are of one run, for they are ratios to its first.
  const wanted = whole ? names : args.markdown ? [] : names.filter(matches)
  if (wanted.length === 0) return []
  const measured = new Map<string, Map<number, number>>()
  for (const size of sizesOf(workload)) {
    const contenders = names.filter(
      (name) => (name === names[0] || wanted.includes(name)) && size <= (workload.upTo?.[name] ?? Infinity)
    )
    const values = new Map<string, Array<number>>(contenders.map((name) => [name, []]))
    for (let i = 0; i < repetitions; i++) {
      for (const contender of contenders) {
        const value = await spawn({ group, workload: workload.name, contender, size }, workload)
        if (!Number.isNaN(value)) values.get(contender)!.push(value)
      }
    }
    for (const [contender, all] of values) {
      // Of several medians the least: what else the machine does only ever adds.
      if (all.length > 0) measured.set(contender, (measured.get(contender) ?? new Map()).set(size, Math.min(...all)))
    }
  }
  return compare(workload, measured)
}

const machine = (): string =>
  `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), Node ${process.versions.node}, ${process.platform} ${release()}, ` +
  `${new Date().toISOString().slice(0, 10)}.`

/** The table with these rows in it: a run of some workloads leaves those of the others as they are. */
const writeTable = async (rows: ReadonlyArray<Row>): Promise<void> => {
  const readme = here("../README.md")
  const [before, table, after] = readFileSync(readme, "utf8").split(/<!-- (?:table|end) -->/)
  const all = (await Promise.all(groups.map(load))).flat().map(({ name }) => name)
  writeFileSync(readme, `${before}<!-- table -->\n${machine()}\n\n${merged(all, rows, table!)}\n<!-- end -->${after}`)
}

const main = async (): Promise<void> => {
  const rows: Array<Row> = []
  if (!args.json) console.log(`${machine()}\n\n${text(widths)}`)
  for (const group of groups) {
    for (const workload of await load(group)) {
      const found = await bench(group, workload)
      rows.push(...found)
      if (!args.json) for (const row of found) console.log(text(row))
      // As it goes: what was measured is there, should the rest be cut off.
      if (args.markdown) await writeTable(rows)
    }
  }
  if (args.json) {
    const plain = rows.map(({ contender, nsPerOp, ratio, size, workload }) => ({
      workload,
      size,
      contender,
      nsPerOp,
      ratio
    }))
    console.log(JSON.stringify(plain, null, 2))
  } else {
    const missed = rows.filter((row) => row.met === false).length
    const aimed = rows.filter((row) => row.met !== undefined).length
    console.log(`\n${aimed - missed} of ${aimed} aims met`)
  }
}

await (args.child === undefined ? main() : child(JSON.parse(args.child) as Job))
