/**
 * Runs in which four processes contend for a lock and for permits, while some of them are killed or stopped at random. Afterwards it is checked
 * that there were no two valid tokens at once, that tokens grew, that all permits are there, and that nothing is renewed any more.
 *
 * `node --import tsx test/redis/processes/random.ts --runs 1000` prints figures. Options: `--lanes` (how many runs at a time), `--seed`.
 */
import { Redis as Client } from "ioredis"
import { connect } from "../../../src/redis/connect.js"
import { RedisLeases } from "../../../src/redis/leases.js"
import { Contender, Resource } from "./harness.js"
import { dice, option, programOf, sleep } from "./program.js"

export interface Options {
  readonly url: string
  readonly prefix: string
  /** The contender, as one file. */
  readonly program: string
  readonly runs: number
  /** How many at a time, each with processes of its own. */
  readonly lanes: number
  readonly seed: number
}

export interface Figures {
  runs: number
  /** Times that a lock, or a permit, was held. */
  sections: number
  killed: number
  stopped: number
  /** Holders that were told of the loss of their lease. */
  lost: number
  /** What the resource has accepted, and refused because of its token. */
  accepted: number
  refused: number
  storeErrors: number
  milliseconds: number
  violations: Array<string>
}

const processes = 4
const lease = 250
const limit = 3

export const randomRuns = async (options: Options): Promise<Figures> => {
  const figures: Figures = {
    runs: 0,
    sections: 0,
    killed: 0,
    stopped: 0,
    lost: 0,
    accepted: 0,
    refused: 0,
    storeErrors: 0,
    milliseconds: 0,
    violations: []
  }
  const began = performance.now()
  let next = 0
  const lane = async (index: number): Promise<void> => {
    const world = new World(options, index, figures)
    try {
      while (next < options.runs) await world.run(next++)
    } finally {
      await world.close()
    }
  }
  await Promise.all(Array.from({ length: options.lanes }, (_, index) => lane(index)))
  figures.milliseconds = Math.round(performance.now() - began)
  return figures
}

/** Processes that serve for one run after the other. */
class World {
  private contenders: Array<Contender> = []
  private readonly client: Client
  private readonly connection
  private readonly store
  private resource = new Resource(() => 1)
  private readonly prefix: string

  constructor(
    private readonly options: Options,
    index: number,
    private readonly figures: Figures
  ) {
    this.prefix = `${options.prefix}-${index}`
    this.client = new Client(options.url)
    this.client.on("error", () => {})
    this.connection = connect({ url: options.url, prefix: this.prefix })
    this.store = new RedisLeases(this.connection)
  }

  async close(): Promise<void> {
    for (const contender of this.contenders) if (!contender.isDead) await contender.kill()
    this.client.disconnect()
    this.connection.close()
  }

  async run(index: number): Promise<void> {
    const { figures, options } = this
    const random = dice(options.seed * 1_000_003 + index)
    const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1))
    const lockName = `lock-${index}`
    const permitsName = `permits-${index}`
    const resource = new Resource((name) => (name === lockName ? 1 : limit))
    this.resource = resource
    await this.fill()
    const works: Array<Promise<void>> = []
    let isOver = false
    for (const contender of this.contenders)
      works.push(this.work(contender, random, lockName, permitsName, () => isOver))
    // What happens to them meanwhile.
    for (let i = between(0, 3); i > 0; i--) {
      await sleep(between(5, 80))
      const contender = this.contenders[between(0, processes - 1)]!
      if (contender.isDead) continue
      if (random() < 0.6) {
        figures.killed++
        await contender.kill()
      } else {
        figures.stopped++
        contender.stop()
        await sleep(between(20, 2 * lease))
        contender.continue()
      }
    }
    isOver = true
    await Promise.all(works)
    figures.runs++
    figures.accepted += resource.accepted
    figures.refused += resource.refusals.length
    // What those had to say who do not mind that their lease is lost has been heard by now.
    for (const violation of resource.violations()) figures.violations.push(`run ${index}: ${violation}`)
    await this.checkRest(index, lockName, permitsName)
  }

  /** As many processes as there should be. The resource is another in each run. */
  private async fill(): Promise<void> {
    this.contenders = this.contenders.filter(({ isDead }) => !isDead)
    const proxy = { ask: (contender: Contender, question: never) => this.resource.ask(contender, question) }
    while (this.contenders.length < processes) {
      const { program, url } = this.options
      this.contenders.push(new Contender(program, { url, prefix: this.prefix }, proxy as unknown as Resource))
    }
    await Promise.all(this.contenders.map(({ ready }) => ready))
  }

  private async work(
    contender: Contender,
    random: () => number,
    lockName: string,
    permitsName: string,
    isOver: () => boolean
  ): Promise<void> {
    const { figures } = this
    for (let i = 0; i < 4 || !isOver(); i++) {
      if (i > 40) return
      const isLock = random() < 0.6
      const { error } = await contender.tell({
        what: "section",
        name: isLock ? lockName : permitsName,
        limit: isLock ? 1 : limit,
        lease,
        poll: 100,
        hold: Math.floor(random() * 25),
        deaf: random() < 0.2
      })
      if (error === undefined) figures.sections++
      else if (error.tag === "Dead") return
      else if (error.tag === "LeaseLost") figures.lost++
      else if (error.tag === "StoreError") figures.storeErrors++
      else figures.violations.push(error.message)
    }
  }

  /** All permits can be had, without waiting longer than for a lease, and then nothing changes any more. */
  private async checkRest(index: number, lockName: string, permitsName: string): Promise<void> {
    const { figures, store } = this
    for (const [name, permits] of [
      [`mutex:${lockName}`, 1],
      [`semaphore:${permitsName}`, limit]
    ] as const) {
      const end = performance.now() + 3 * lease
      for (;;) {
        const answer = await store.acquire({ name, holder: "check", permits, limit: permits, lease: 1000 })
        if (answer.kind === "granted") break
        if (performance.now() > end) {
          figures.violations.push(`run ${index}: ${name}: permits were lost, or something is still renewed`)
          break
        }
        await sleep(Math.min(20, answer.retryAfter))
      }
      await store.release({ name, holder: "check" })
      // One field is for all, and each holder has one.
      const held = (await this.client.hlen(`${this.prefix}:{${name}}:leases`)) - 1
      if (held !== 0) figures.violations.push(`run ${index}: ${name}: ${held} hold something`)
    }
  }
}

await programOf(import.meta, "contender", (given) =>
  randomRuns({ ...given, runs: option("runs", 100), lanes: option("lanes", 2), seed: option("seed", 1) })
)
