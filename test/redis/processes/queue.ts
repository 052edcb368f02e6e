/**
 * Random runs of a queue on Redis among real processes, each of which offers and consumes, with kills, stops, broken connections, forgotten
 * scripts and lost messages. Afterwards it is checked that no item is lost, that every item was handled at least once, and that first
 * deliveries were in order.
 *
 *     node --import tsx test/redis/processes/queue.ts --runs 100
 */
import { type ChildProcess, fork } from "node:child_process"
import { Redis as Client } from "ioredis"
import { connect } from "../../../src/redis/connect.js"
import { RedisDeliveries } from "../../../src/redis/deliveries.js"
import { option, programOf, sleep } from "./program.js"

export interface ConsumerOptions {
  readonly url: string
  readonly prefix: string
  readonly lease: number
  readonly poll: number
}

export type ConsumerCommand =
  | {
      readonly kind: "run"
      readonly name: string
      readonly items: ReadonlyArray<string>
      readonly concurrency: number
      /** For at most so many milliseconds an item is worked on. */
      readonly hold: number
      /** How often a handler fails, and how often it blocks the event loop beyond its lease. From 0 to 1. */
      readonly fails: number
      readonly blocks: number
    }
  | { readonly kind: "end" }

export type ConsumerNews =
  | { readonly kind: "ready" }
  | { readonly kind: "offered"; readonly name: string; readonly id: string }
  | {
      readonly kind: "began" | "did"
      readonly name: string
      readonly id: string
      readonly attempt: number
      readonly token: number
    }
  | { readonly kind: "produced" | "ended"; readonly name: string }

/** Another process. */
export class Consumer {
  readonly ended: Promise<void>
  private readonly child: ChildProcess
  private readonly ready: Promise<void>
  isDead = false
  isStopped = false

  constructor(file: string, options: ConsumerOptions, hear: (news: ConsumerNews, from: Consumer) => void) {
    const child = fork(file, [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    this.child = child
    this.ready = new Promise((resolve) => child.once("message", () => resolve()))
    this.ended = new Promise((resolve) =>
      child.once("exit", () => {
        this.isDead = true
        resolve()
      })
    )
    child.on("message", (news: ConsumerNews) => hear(news, this))
    child.on("error", () => {})
  }

  async tell(command: ConsumerCommand): Promise<void> {
    await this.ready
    if (!this.isDead && this.child.connected) this.child.send(command, () => {})
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL")
    await this.ended
  }

  stop(): void {
    this.isStopped = true
    this.child.kill("SIGSTOP")
  }

  continue(): void {
    this.isStopped = false
    this.child.kill("SIGCONT")
  }
}

export interface Figures {
  runs: number
  offered: number
  delivered: number
  /** Deliveries of an item that had been delivered before. */
  again: number
  killed: number
  stopped: number
  /** Connections broken, scripts forgotten. */
  broken: number
  readonly violations: Array<string>
}

export interface RandomOptions {
  readonly url: string
  readonly prefix: string
  readonly program: string
  readonly runs: number
  readonly processes?: number
  /** How many items each process offers. */
  readonly items?: number
  readonly random?: () => number
}

const producerOf = (id: string) => id.slice(0, id.lastIndexOf(":"))
const numberOf = (id: string) => Number(id.slice(id.lastIndexOf(":") + 1))

/** Runs, one after the other; what is wrong is in `violations`. */
export const randomQueueRuns = async (options: RandomOptions): Promise<Figures> => {
  const { items = 40, prefix, processes = 4, program, random = Math.random, runs, url } = options
  const figures: Figures = {
    runs,
    offered: 0,
    delivered: 0,
    again: 0,
    killed: 0,
    stopped: 0,
    broken: 0,
    violations: []
  }
  const heard = new Set<(news: ConsumerNews, from: Consumer) => void>()
  const start = () =>
    new Consumer(program, { url, prefix, lease: 150, poll: 100 }, (news, from) =>
      heard.forEach((hear) => hear(news, from))
    )
  const all = Array.from({ length: processes }, start)
  const client = new Client(url)
  const connection = connect({ url, prefix })
  const store = new RedisDeliveries(connection)
  const pick = <A>(list: ReadonlyArray<A>): A => list[Math.floor(random() * list.length)]!
  try {
    for (let run = 0; run < runs; run++) {
      const name = `run ${run}`
      // A lost answer hides a first delivery: there, their order cannot be seen.
      const breaks = run % 2 === 1
      const offered = new Set<string>()
      const did = new Set<string>()
      const first = new Map<string, { token: number; attempt: number }>()
      const began: Array<{ id: string; token: number; attempt: number }> = []
      const producing = new Set<Consumer>()
      const ended = new Set<Consumer>()
      const hear = (news: ConsumerNews, from: Consumer) => {
        if (news.kind === "ready" || news.name !== name) return
        if (news.kind === "offered") offered.add(news.id)
        if (news.kind === "did") did.add(news.id)
        if (news.kind === "began") began.push(news)
        if (news.kind === "produced") producing.delete(from)
        if (news.kind === "ended") ended.add(from)
      }
      heard.add(hear)
      const begin = (one: Consumer, producer: string) => {
        producing.add(one)
        return one.tell({
          kind: "run",
          name,
          items: Array.from({ length: items }, (_, i) => `${producer}:${i}`),
          concurrency: 1 + Math.floor(random() * 4),
          hold: random() < 0.3 ? 0 : 10,
          fails: 0.02,
          blocks: 0.003
        })
      }
      await Promise.all(all.map((one, i) => begin(one, `p${i}`)))

      const faults = 1 + Math.floor(random() * 4)
      for (let i = 0; i < faults; i++) {
        await sleep(random() * 80)
        const index = Math.floor(random() * processes)
        const one = all[index]!
        const kind = pick(breaks ? ["connections", "pubsub", "flush", "kill"] : ["kill", "kill", "stop", "pubsub"])
        if (kind === "kill") {
          figures.killed++
          await one.kill()
          // What it had not offered yet somebody else does not offer.
          producing.delete(one)
          all[index] = start()
          void begin(all[index]!, `p${index}-${run}-${i}`)
        } else if (kind === "stop" && !one.isStopped) {
          figures.stopped++
          one.stop()
          setTimeout(() => one.continue(), random() * 400)
        } else if (kind === "connections") {
          figures.broken++
          await client.client("KILL", "TYPE", "normal", "SKIPME", "yes")
        } else if (kind === "pubsub") {
          figures.broken++
          await client.client("KILL", "TYPE", "pubsub")
        } else if (kind === "flush") {
          figures.broken++
          await client.script("FLUSH")
        }
      }

      // Until nothing is left.
      const late = performance.now() + 20_000
      const isOver = async (): Promise<boolean> => {
        const counts = await store.counts(name).catch(() => undefined)
        if (counts === undefined || counts.ready + counts.delayed + counts.leased > 0) return false
        if (counts.dead > 0) figures.violations.push(`${name}: ${counts.dead} dead letters`)
        return true
      }
      const settled = () => [...offered].every((id) => did.has(id))
      while (!(producing.size === 0 && settled() && (await isOver()))) {
        if (performance.now() > late) {
          const lost = [...offered].filter((id) => !did.has(id))
          figures.violations.push(
            `${name}: not done: ${lost.slice(0, 5).join()} (${lost.length}); ${producing.size} produce`
          )
          break
        }
        await sleep(10)
      }
      for (const one of all) if (one.isStopped) one.continue()
      for (const one of all) void one.tell({ kind: "end" })
      while (ended.size < processes && performance.now() < late + 5000) await sleep(5)
      if (ended.size < processes) figures.violations.push(`${name}: ${processes - ended.size} do not end`)
      heard.delete(hear)

      for (const { attempt, id, token } of began) {
        figures.delivered++
        const before = first.get(id)
        if (before !== undefined) figures.again++
        if (before === undefined || token < before.token) first.set(id, { token, attempt })
      }
      figures.offered += offered.size
      const tokens = began.map(({ token }) => token)
      if (new Set(tokens).size < tokens.length) figures.violations.push(`${name}: a token came twice`)
      if (breaks) continue
      const latest = new Map<string, string>()
      const inOrder = [...first].filter(([, { attempt }]) => attempt === 1).sort(([, a], [, b]) => a.token - b.token)
      for (const [id] of inOrder) {
        const before = latest.get(producerOf(id))
        if (before !== undefined && numberOf(before) > numberOf(id)) {
          figures.violations.push(`${name}: ${id} came after ${before}`)
        }
        latest.set(producerOf(id), id)
      }
    }
  } finally {
    for (const one of all) await one.kill()
    client.disconnect()
    connection.close()
  }
  return figures
}

await programOf(import.meta, "consumer", (given) => randomQueueRuns({ ...given, runs: option("runs", 100) }))
