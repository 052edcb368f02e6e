/** From measurements to rows, and from rows to text. */
import type { Workload } from "./workload.js"

export interface Row {
  readonly workload: string
  readonly size: number
  readonly contender: string
  /** Nanoseconds for an operation; for the memory workloads, bytes for a waiter. */
  readonly nsPerOp: number
  /** Theirs / ours: above 1, ours is ahead. */
  readonly ratio: number
  readonly aim: string
  readonly met: boolean | undefined
}

/** Two runs of one thing differ by this much on a shared machine; who is nearer than that is level. */
const noise = 0.05

type Measured = ReadonlyMap<string, ReadonlyMap<number, number>>

export const compare = (workload: Workload, measured: Measured): ReadonlyArray<Row> => {
  const names = Object.keys(workload.contenders)
  const ours = measured.get(names[0]!)
  if (ours === undefined) return []
  return workload.sizes.flatMap((size) =>
    names.flatMap((contender): ReadonlyArray<Row> => {
      const nsPerOp = measured.get(contender)?.get(size)
      const base = ours.get(size)
      if (nsPerOp === undefined || base === undefined) return []
      const row = { workload: workload.name, size, contender, nsPerOp, ratio: nsPerOp / base }
      const aim = contender === names[0] ? flatAim(workload, measured, size) : ratioAim(workload, contender, row.ratio)
      return [{ ...row, ...(aim ?? { aim: "", met: undefined }) }]
    })
  )
}

const isFloor = (name: string): boolean => name.startsWith("floor")

const ratioAim = ({ aims }: Workload, contender: string, ratio: number) => {
  const aim = aims?.[contender] ?? (isFloor(contender) ? 0 : 1)
  return aim === 0 ? undefined : { aim: `ratio >= ${Number(aim.toFixed(2))}`, met: ratio >= aim * (1 - noise) }
}

/** Nothing can be flatter than what it stands on: when the floor costs more at the larger size, that much is allowed for. */
const flatAim = ({ contenders, flat }: Workload, measured: Measured, size: number) => {
  if (flat === undefined || size <= flat.from) return undefined
  const [ours, ...others] = Object.keys(contenders)
  const floor = others.find(isFloor)
  const growth = (name: string) => measured.get(name)!.get(size)! / measured.get(name)!.get(flat.from)!
  const own = growth(ours!)
  const below = floor !== undefined && measured.get(floor)?.has(size) === true ? growth(floor) : 1
  const aim = `<= ${flat.factor} x at ${count(flat.from)} (${own.toFixed(2)}${below > 1 ? `, floor ${below.toFixed(2)}` : ""})`
  return { aim, met: own <= flat.factor * Math.max(1, below) * (1 + noise) }
}

const count = (value: number): string => value.toLocaleString("en-US")

const cells = (row: Row): ReadonlyArray<string> => [
  row.workload,
  count(row.size),
  row.contender,
  count(Math.round(row.nsPerOp)),
  row.ratio.toFixed(2),
  row.aim,
  row.met === undefined ? "" : row.met ? "met" : "missed"
]

const titles = ["workload", "size", "contender", "ns/op", "ratio", "aim", ""]

/** The heading of the text table, as a row. */
export const widths = titles

export const text = (row: Row | ReadonlyArray<string>): string => {
  const [workload, size, contender, ns, ratio, aim, met] = "workload" in row ? cells(row) : row
  const columns = [workload!.padEnd(36), size!.padStart(7), contender!.padEnd(26), ns!.padStart(11), ratio!.padStart(8)]
  return [...columns, aim!.padEnd(36), met].join("  ").trimEnd()
}

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`

/** The table of these workloads, in their order, each with its new rows or, when it was not measured, with those that it had. */
export const merged = (workloads: ReadonlyArray<string>, rows: ReadonlyArray<Row>, table: string): string => {
  const old = table.split("\n").filter((line) => line.startsWith("| "))
  const body = workloads.flatMap((name) => {
    const measured = rows.filter(({ workload }) => workload === name).map((row) => line(cells(row)))
    return measured.length > 0 ? measured : old.filter((line) => line.startsWith(`| ${name} |`))
  })
  return [line(titles), line(["---", "---:", "---", "---:", "---:", "---", "---"]), ...body].join("\n")
}

/**
 * What a process said last, as one line: the message of its error, if there is one. What Node prints first is where that was thrown, with the line
 * of the source, which may well say "Error" itself.
 */
export const messageIn = (stderr: string): string | undefined => {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("Node.js v"))
  return lines.find((line) => /^[\w.]*Error( \[\w+\])?: /.test(line)) ?? lines.at(-1)
}
