/**
 * The long exploration: `npm run explore`. Every scenario under each of its models, with every schedule of up to two preemptions as far as
 * the share reaches, and then by chance, to a million schedules together.
 */
import * as effect from "effect-concurrency"
import * as distributed from "effect-concurrency/distributed"
import * as executor from "effect-concurrency/Executor"
import * as http from "effect-concurrency/HttpLimits"
import * as promise from "effect-concurrency/promise"
import * as promiseDistributed from "effect-concurrency/promise/distributed"
import { Explore } from "effect-concurrency/testing"
import { readFileSync, writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import type { Explored } from "./scenario.js"
import { scenarios } from "./scenarios.js"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    filter: { type: "string", default: "" },
    markdown: { type: "boolean", default: false },
    runs: { type: "string" }
  }
})

const total = values.runs === undefined ? (values.quick ? 100_000 : 1_000_000) : Number(values.runs)
const readme = "test/README.md"
const library = { effect, promise, http, executor, distributed, promiseDistributed }
if (values.markdown && values.filter !== "") throw new Error("--markdown writes the whole table: without --filter")
const models: ReadonlyArray<Explore.Model> = ["taskOrder", "elastic", "aggressive"]

interface Case {
  readonly explored: Explored
  readonly model: Explore.Model
}

interface Row extends Case {
  readonly schedules: number
  readonly complete: boolean
  readonly milliseconds: number
  readonly finding: Explore.Finding | undefined
}

const number = (n: number): string => Math.round(n).toLocaleString("en-US")

const explore = async ({ explored, model }: Case, share: number): Promise<Row> => {
  const scenario = explored.scenario(library)
  const options: Explore.Options = { bound: 2, time: 600_000, ...explored.options, model }
  const half = Math.max(1, Math.floor(share / 2))
  const first = await Explore.report(scenario, { ...options, runs: half })
  if (first.complete || first.finding !== undefined) return { explored, model, ...first }
  const second = await Explore.report(scenario, { ...options, strategy: "random", runs: half })
  return {
    explored,
    model,
    schedules: first.schedules + second.schedules,
    complete: false,
    milliseconds: first.milliseconds + second.milliseconds,
    finding: second.finding
  }
}

const table = (rows: ReadonlyArray<Row>): string =>
  [
    "| scenario | model | schedules | all of them | findings | schedules/s |",
    "| --- | --- | ---: | --- | ---: | ---: |",
    ...rows.map(({ complete, explored, finding, milliseconds, model, schedules }) =>
      [
        `| ${explored.primitive}: ${explored.name}`,
        model,
        number(schedules),
        complete ? "yes" : "a sample",
        finding === undefined ? 0 : 1,
        `${number((schedules / Math.max(1, milliseconds)) * 1_000)} |`
      ].join(" | ")
    )
  ].join("\n")

/** How much of it each module took. */
const modules = (rows: ReadonlyArray<Row>): string => {
  const sum = (of: (row: Row) => number, own: ReadonlyArray<Row>) => own.reduce((sum, row) => sum + of(row), 0)
  return [
    "| module | explorations | all of them | schedules | seconds |",
    "| --- | ---: | ---: | ---: | ---: |",
    ...[...new Set(rows.map(({ explored }) => explored.primitive))].map((primitive) => {
      const own = rows.filter(({ explored }) => explored.primitive === primitive)
      const complete = own.filter((row) => row.complete).length
      const schedules = number(sum((row) => row.schedules, own))
      const seconds = number(sum((row) => row.milliseconds, own) / 1_000)
      return `| ${primitive} | ${own.length} | ${complete} | ${schedules} | ${seconds} |`
    })
  ].join("\n")
}

const cases = scenarios
  .flatMap((explored) => (explored.models ?? models).map((model): Case => ({ explored, model })))
  .filter(({ explored }) => `${explored.primitive}: ${explored.name}`.includes(values.filter))

const rows: Array<Row> = []
// Those with few schedules first, as far as one can tell, so that what they do not need is left to the others.
const order = cases.slice().sort((a, b) => models.indexOf(a.model) - models.indexOf(b.model))
let left = total
for (const [index, each] of order.entries()) {
  const row = await explore(each, left / (order.length - index))
  left -= row.schedules
  rows.push(row)
  const { complete, explored, finding, milliseconds, model, schedules } = row
  console.error(
    `${explored.primitive}: ${explored.name} (${model}): ${number(schedules)}${complete ? ", all of them" : ""}, ${number(milliseconds)} ms${finding === undefined ? "" : ", A FINDING"}`
  )
}

rows.sort((a, b) => cases.findIndex(same(a)) - cases.findIndex(same(b)))
function same(row: Row) {
  return ({ explored, model }: Case) => explored === row.explored && model === row.model
}

const schedules = rows.reduce((sum, row) => sum + row.schedules, 0)
const seconds = rows.reduce((sum, row) => sum + row.milliseconds, 0) / 1_000
const findings = rows.filter((row) => row.finding !== undefined)
const summary = `${number(schedules)} schedules of ${cases.length} explorations in ${number(seconds)} s (${number(schedules / seconds)} a second), Node ${process.versions.node}: ${findings.length} findings.`

console.log(`${table(rows)}\n\n${modules(rows)}\n\n${summary}`)
for (const { explored, finding } of findings)
  console.log(`\n${explored.primitive}: ${explored.name}\n${finding!.message}`)

if (values.markdown) {
  const [start, end] = ["<!-- table -->", "<!-- end -->"]
  const text = readFileSync(readme, "utf8")
  const [before, rest] = [text.indexOf(start), text.indexOf(end)]
  if (before < 0 || rest < before) throw new Error(`${readme} has no ${start} … ${end}`)
  writeFileSync(
    readme,
    `${text.slice(0, before)}${start}\n\n${summary}\n\n${modules(rows)}\n\n${table(rows)}\n\n${text.slice(rest)}`
  )
}

if (findings.length > 0) process.exitCode = 1
