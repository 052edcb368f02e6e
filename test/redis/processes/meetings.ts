/**
 * Runs in which four processes wait for events and meet at barriers, while some of them are killed or stopped, and connections broken, at random. It is
 * checked that nobody stays waiting for an event that was set, also if it was cleared at once and the message was lost; that no barrier lets fewer pass
 * than it has parties, nor some of them and others not; that it breaks for those who are left when a party dies, in time; and that nothing is left of
 * it all on the server that does not expire.
 *
 * `node --import tsx test/redis/processes/meetings.ts --runs 200` prints figures. Options: `--lanes` (how many runs at a time), `--seed`.
 */
import { type ChildProcess, fork } from "node:child_process"
import { Redis as Client } from "ioredis"
import { connect } from "../../../src/redis/connect.js"
import type { Connection } from "../../../src/redis/connection.js"
import { RedisLatches } from "../../../src/redis/latches.js"
import { RedisParties } from "../../../src/redis/parties.js"
import { dice, option, programOf, sleep } from "./program.js"

export interface MeeterOptions {
  readonly url: string
  readonly prefix: string
  readonly lease: number
  readonly poll: number
}

/** `"set"` clears the flag at once. */
export type MeeterCommand =
  | { readonly kind: "await" | "set" | "pulse"; readonly id: number; readonly name: string }
  | { readonly kind: "arrive"; readonly id: number; readonly name: string; readonly parties: number }
  | { readonly kind: "leave" | "stats"; readonly id: number; readonly name?: undefined }

export type MeeterNews =
  | { readonly kind: "ready" }
  | { readonly kind: "asked"; readonly id: number }
  | { readonly kind: "withdrawn"; readonly id: number }
  | { readonly kind: "over"; readonly id: number; readonly outcome: string }

/** Something that another process was told to do. */
interface Task {
  readonly id: number
  readonly meeter: Meeter
  readonly begunAt: number
  /** The store has answered a question for it. */
  isAsked: boolean
  isWithdrawn: boolean
  /** What became of it: an index, the name of an error, `"dead"`. */
  outcome: string | undefined
  overAt: number
  onOver: () => void
}

/** Another process. */
class Meeter {
  readonly ready: Promise<void>
  isDead = false
  isStopped = false
  stoppedAt = 0
  /** Since when it has neither been stopped nor dead. */
  since = 0
  private readonly child: ChildProcess
  private readonly tasks = new Map<number, Task>()
  private count = 0

  constructor(program: string, options: MeeterOptions) {
    const child = fork(program, [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    this.child = child
    this.ready = new Promise((resolve) => child.once("message", () => resolve()))
    child.on("message", (news: MeeterNews) => {
      if (news.kind === "ready") return
      const task = this.tasks.get(news.id)!
      if (news.kind === "asked") task.isAsked = true
      else if (news.kind === "withdrawn") task.isWithdrawn = true
      else this.over(task, news.outcome)
    })
    child.once("exit", () => {
      this.isDead = true
      for (const task of this.tasks.values()) this.over(task, "dead")
    })
    child.on("error", () => {})
  }

  private over(task: Task, outcome: string): void {
    if (task.outcome !== undefined) return
    task.outcome = outcome
    task.overAt = performance.now()
    task.onOver()
  }

  begin(
    command: { readonly kind: "await" | "set" | "pulse" | "arrive" | "stats"; name?: string; parties?: number },
    onOver: (task: Task) => void = () => {}
  ): Task {
    const task: Task = {
      id: this.count++,
      meeter: this,
      begunAt: performance.now(),
      isAsked: false,
      isWithdrawn: false,
      outcome: undefined,
      overAt: 0,
      onOver: () => onOver(task)
    }
    this.tasks.set(task.id, task)
    if (this.isDead) this.over(task, "dead")
    else this.send({ ...command, id: task.id } as MeeterCommand)
    return task
  }

  leave({ id }: Task): void {
    this.send({ kind: "leave", id })
  }

  private send(command: MeeterCommand): void {
    if (!this.isDead && this.child.connected) this.child.send(command, () => {})
  }

  async kill(): Promise<void> {
    if (this.isDead) return
    this.child.kill("SIGKILL")
    await new Promise((resolve) => this.child.once("exit", resolve))
  }

  stop(): void {
    this.isStopped = true
    this.stoppedAt = performance.now()
    this.child.kill("SIGSTOP")
  }

  continue(): void {
    this.child.kill("SIGCONT")
    this.since = performance.now()
    this.isStopped = false
  }
}

export interface Figures {
  runs: number
  /** Waits for events that were let go, and those that ended otherwise: left, dead, or failed. */
  woken: number
  otherwise: number
  /** From when the flag was set, of those whose process was not stopped, in milliseconds. */
  slowestWake: number
  /** How many took longer than half the time of a poll: the message did not reach them. */
  wokenByPoll: number
  /** Arrivals that passed, and those for which the barrier was broken. */
  passed: number
  broken: number
  /** Barriers that broke since a party was killed; the longest that it took until somebody heard who waited, in milliseconds. */
  brokenByDeath: number
  slowestBreak: number
  /** Parties that were told so: their processes were stopped for long. */
  lost: number
  killed: number
  stopped: number
  /** Connections that were cut: all, and those that only listen. */
  cut: number
  deaf: number
  storeErrors: number
  milliseconds: number
  readonly violations: Array<string>
}

export interface Options {
  readonly url: string
  readonly prefix: string
  /** The meeter, as one file. */
  readonly program: string
  readonly runs: number
  /** How many at a time, each with processes of its own. */
  readonly lanes: number
  readonly seed: number
}

const processes = 4
const lease = 600
const poll = 200
/** How late this machine may be. */
const slack = 3000

export const meetingRuns = async (options: Options): Promise<Figures> => {
  const figures: Figures = {
    runs: 0,
    woken: 0,
    otherwise: 0,
    slowestWake: 0,
    wokenByPoll: 0,
    passed: 0,
    broken: 0,
    brokenByDeath: 0,
    slowestBreak: 0,
    lost: 0,
    killed: 0,
    stopped: 0,
    cut: 0,
    deaf: 0,
    storeErrors: 0,
    milliseconds: 0,
    violations: []
  }
  const began = performance.now()
  const server = { cutAt: -Infinity }
  let next = 0
  const lane = async (index: number): Promise<void> => {
    const world = new World(options, index, figures, server)
    try {
      while (next < options.runs) {
        const run = next++
        if (await ends(world.run(run))) continue
        figures.violations.push(`run ${run} does not end`)
        return
      }
    } finally {
      await world.close()
    }
  }
  await Promise.all(Array.from({ length: options.lanes }, (_, index) => lane(index)))
  figures.milliseconds = Math.round(performance.now() - began)
  return figures
}

/** What becomes of a task that its parent ends. */
const left = "Error: left"

/** A task, in the message of a violation. */
const show = ({ isAsked, isWithdrawn, outcome }: Task): string =>
  [outcome ?? "waits", ...(isAsked ? ["asked"] : []), ...(isWithdrawn ? ["withdrawn"] : [])].join(" ")

/** Whether it ends within a minute. A run takes a few seconds. */
const ends = async (run: Promise<void>): Promise<boolean> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), 60_000)))
  try {
    return await Promise.race([run.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Until something is so, for so long at most. */
const until = async (isSo: () => boolean, end: () => number): Promise<boolean> => {
  while (!isSo()) {
    if (performance.now() > end()) return false
    await sleep(3)
  }
  return true
}

/** Processes that serve for one run after the other. */
class World {
  private all: Array<Meeter> = []
  private readonly client: Client
  private readonly connection: Connection
  private readonly latches: RedisLatches
  private readonly parties: RedisParties
  private readonly prefix: string
  private index = 0
  private random = dice(0)
  private beganAt = 0
  private done: Array<string> = []
  /** When this process itself was last late, and so the others may have been. */
  private lateAt = -Infinity
  private readonly clock: NodeJS.Timeout

  constructor(
    private readonly options: Options,
    lane: number,
    private readonly figures: Figures,
    /** When connections were last cut, those of all. */
    private readonly server: { cutAt: number }
  ) {
    this.prefix = `${options.prefix}-${lane}`
    this.client = new Client(options.url)
    this.client.on("error", () => {})
    this.connection = connect({ url: options.url, prefix: this.prefix, timeout: 1000 })
    this.latches = new RedisLatches(this.connection)
    this.parties = new RedisParties(this.connection)
    let latest = performance.now()
    this.clock = setInterval(() => {
      const now = performance.now()
      if (now - latest > lease / 4) this.lateAt = now
      latest = now
    }, 20)
  }

  async close(): Promise<void> {
    clearInterval(this.clock)
    for (const meeter of this.all) await meeter.kill()
    this.client.disconnect()
    this.connection.close()
  }

  private between(low: number, high: number): number {
    return low + Math.floor(this.random() * (high - low + 1))
  }

  /** Of an empty list, none. */
  private pick<A>(list: ReadonlyArray<A>): A {
    return list[this.between(0, list.length - 1)]!
  }

  private violation(what: string): void {
    this.figures.violations.push(`run ${this.index}: ${what} (${this.done.join(", ") || "nothing was done to them"})`)
  }

  /** So that one can see what led to a violation. */
  private note(what: string, meeter?: Meeter): void {
    const whom = meeter === undefined ? "" : ` of ${this.all.indexOf(meeter)}`
    this.done.push(`${what}${whom} at ${Math.round(performance.now() - this.beganAt)}`)
  }

  async run(index: number): Promise<void> {
    this.index = index
    this.random = dice(this.options.seed * 1_000_003 + index)
    this.all = this.all.filter(({ isDead }) => !isDead)
    while (this.all.length < processes) {
      const { program, url } = this.options
      this.all.push(new Meeter(program, { url, prefix: this.prefix, lease, poll }))
    }
    await Promise.all(this.all.map(({ ready }) => ready))
    this.beganAt = performance.now()
    this.done = []
    await Promise.all([this.disturb(), this.events(), this.barriers()])
    await this.checkRest()
    this.figures.runs++
  }

  /** What happens to them meanwhile. */
  private async disturb(): Promise<void> {
    const { figures } = this
    for (let i = this.between(0, 3); i > 0; i--) {
      await sleep(this.between(5, 150))
      const meeter = this.pick(this.all)
      const kind = this.pick(["kill", "stop", "deaf", "deaf", "deaf", "cut", "forget"])
      if (kind === "kill") await this.kill(meeter)
      else if (kind === "stop") await this.stop(meeter)
      else if (kind === "deaf") {
        figures.deaf++
        this.note("deafness")
        // Again and again: also while they listen anew.
        for (let j = this.between(1, 10); j > 0; j--) {
          await this.client.client("KILL", "TYPE", "pubsub")
          await sleep(this.between(0, 10))
        }
      } else if (kind === "cut") {
        this.server.cutAt = performance.now()
        figures.cut++
        this.note("cut")
        await this.client.client("KILL", "TYPE", "normal", "SKIPME", "yes")
      } else if (kind === "forget") {
        this.note("scripts forgotten")
        await this.client.script("FLUSH")
      }
    }
  }

  private async kill(meeter: Meeter): Promise<void> {
    if (meeter.isDead) return
    this.figures.killed++
    this.note("death", meeter)
    await meeter.kill()
  }

  private async stop(meeter: Meeter): Promise<void> {
    if (!this.isUp(meeter)) return
    this.figures.stopped++
    this.note("stop", meeter)
    meeter.stop()
    await sleep(this.between(20, 2 * lease))
    meeter.continue()
    this.note("end of the stop", meeter)
  }

  /** Asks the server until it answers: connections may have been cut, also ours. */
  private async surely<A>(question: () => Promise<A>): Promise<A> {
    for (let i = 0; ; i++) {
      try {
        return await question()
      } catch (error) {
        if (i > 20) throw error
        await sleep(20)
      }
    }
  }

  private isUp = (meeter: Meeter): boolean => !meeter.isDead && !meeter.isStopped

  /** So long after something, and after a process went on. */
  private limit = (after: number, tasks: ReadonlyArray<Task>, allowed: number) => (): number =>
    tasks.some(({ meeter }) => meeter.isStopped)
      ? Infinity
      : Math.max(after, ...tasks.map(({ meeter }) => meeter.since)) + allowed

  private async events(): Promise<void> {
    for (let round = 0; round < 3; round++) await this.eventRound(`e-${this.index}-${round}`)
  }

  /** Some wait for a flag, which is set and cleared at once, or pulsed; and then set for good. */
  private async eventRound(name: string): Promise<void> {
    const { figures } = this
    let isLetGo = false
    const waits: Array<Task> = []
    const enter = (meeter: Meeter) => {
      waits.push(
        meeter.begin({ kind: "await", name }, ({ outcome }) => {
          if (outcome === "so" && !isLetGo) this.violation(`${name}: somebody was let go by nothing`)
        })
      )
    }
    for (const meeter of this.all) for (let i = 0; i < 2; i++) enter(meeter)
    await sleep(this.between(0, 20))
    // Some come late, and some leave.
    enter(this.pick(this.all))
    for (const wait of waits) if (this.random() < 0.1) wait.meeter.leave(wait)
    const isReady = ({ isAsked, meeter, outcome }: Task) => isAsked || outcome !== undefined || !this.isUp(meeter)
    const asked = await until(() => waits.every(isReady), this.limit(performance.now(), [], slack))
    if (!asked) this.violation(`${name}: the store is not asked`)

    const due = waits.filter(({ isAsked, outcome }) => isAsked && outcome === undefined)
    isLetGo = true
    const setter = this.pick(this.all)
    const kind = this.pick(["set", "pulse"] as const)
    const setting = setter.begin({ kind, name })
    await until(() => setting.outcome !== undefined || !this.isUp(setter), this.limit(performance.now(), [], slack))
    if (setting.outcome !== "done") await this.surely(() => this.latches.pulse(`event:${name}`))
    const at = setting.outcome === "done" ? setting.overAt : performance.now()
    await this.allOver(name, at, due, "it was set, and")
    for (const { meeter, outcome, overAt } of due) {
      if (outcome !== "so" || meeter.since > at) continue
      const took = Math.max(0, overAt - at)
      figures.slowestWake = Math.max(figures.slowestWake, Math.round(took))
      if (took > poll / 2) figures.wokenByPoll++
    }

    // The others had not begun to wait.
    await this.surely(() => this.latches.set({ name: `event:${name}` }))
    await this.allOver(name, performance.now(), waits, "it is set, and")
    for (const { outcome } of waits) {
      if (outcome === "so") figures.woken++
      else figures.otherwise++
      if (outcome?.startsWith("StoreError")) this.storeError(name, outcome)
      else if (!["so", "dead", left, undefined].includes(outcome)) this.violation(`${name}: ${outcome}`)
    }
    await this.surely(() => this.latches.clear(`event:${name}`))
  }

  private storeError(name: string, what: string): void {
    this.figures.storeErrors++
    if (Math.max(this.server.cutAt, this.lateAt) < this.beganAt)
      this.violation(`${name}: ${what}, and nothing has happened to the server`)
  }

  private async allOver(name: string, after: number, tasks: ReadonlyArray<Task>, why: string): Promise<boolean> {
    const isOver = ({ outcome }: Task) => outcome !== undefined
    if (await until(() => tasks.every(isOver), this.limit(after, tasks, poll + slack))) return true
    this.violation(`${name}: ${why} ${tasks.filter((task) => !isOver(task)).length} still wait`)
    return false
  }

  private async barriers(): Promise<void> {
    for (let round = 0; round < 2; round++) await this.barrierRound(`b-${this.index}-${round}`)
  }

  /** Some arrive, one of them leaves perhaps, or something happens to it, and then the last arrives. */
  private async barrierRound(name: string): Promise<void> {
    const { figures } = this
    const fullName = `barrier:${name}`
    const began = performance.now()
    await until(() => this.all.some(this.isUp), this.limit(began, [], slack))
    const up = this.all.filter(this.isUp)
    if (up.length === 0) return
    const parties = this.between(2, processes)
    let mayPass = false
    const arrivals: Array<Task> = []
    const arrive = (meeter: Meeter) => {
      const task = meeter.begin({ kind: "arrive", name, parties }, ({ outcome = "" }) => {
        if (/^\d+$/.test(outcome) && !mayPass) this.violation(`${name}: it passed without all ${parties}`)
      })
      arrivals.push(task)
      return task
    }
    const first = this.between(0, processes - 1)
    for (let i = 0; i < parties - 1; i++) arrive(up[(first + i) % up.length]!)
    const what = this.pick(["leave", "leave", "kill", "stop", "nothing", "nothing"])
    const leaver = this.pick(arrivals)
    if (what !== "nothing") await until(() => leaver.isAsked || !this.isUp(leaver.meeter), this.limit(began, [], slack))
    let happens = Promise.resolve()
    let isReplaced = true
    if (what === "kill") happens = this.kill(leaver.meeter)
    else if (what === "stop") happens = this.stop(leaver.meeter)
    else if (what === "leave") {
      leaver.meeter.leave(leaver)
      const isGone = () => leaver.isWithdrawn || leaver.outcome === "dead"
      isReplaced = false
      await until(isGone, this.limit(performance.now(), [leaver], slack))
      // Another one comes in its place, if the store is known to have heard of it.
      if (leaver.isWithdrawn) {
        isReplaced = true
        arrive(this.pick(up))
      }
    }
    await sleep(this.between(0, what === "kill" ? 3 * lease : this.pick([50, lease])))
    // Nobody passes with one whose lease has ended.
    const isGone = ({ isAsked, meeter, outcome, overAt }: Task) =>
      (outcome === "dead" && overAt < performance.now() - lease) ||
      (isAsked && outcome === undefined && meeter.isStopped && meeter.stoppedAt < performance.now() - lease)
    mayPass = !arrivals.some(isGone)
    arrive(this.pick(this.all.filter(({ isDead }) => !isDead)) ?? up[0]!)
    const at = performance.now()

    // Whoever is dead is told of when its lease has ended.
    const isOver = ({ outcome }: Task) => outcome !== undefined
    const certain = () => arrivals.every(({ isAsked }) => isAsked)
    const diedAt = () =>
      Math.max(at, ...arrivals.filter(({ outcome }) => outcome === "dead").map(({ overAt }) => overAt))
    const isDone = () => arrivals.every(isOver)
    const limit = () => this.limit(diedAt(), arrivals, lease + poll + slack)()
    const areOver = await until(isDone, () => (certain() ? limit() : limit() - slack + 200))
    if (!areOver) {
      // One that died, or failed, may not have arrived at all, and one may have left that was not replaced. Then the others wait for one more.
      const isDoubtful =
        !isReplaced ||
        arrivals.some(({ isAsked, outcome }) => (outcome === "dead" && !isAsked) || outcome?.startsWith("StoreError"))
      if (!isDoubtful) this.violation(`${name}: some wait for ever, of ${parties}: ${arrivals.map(show).join("; ")}`)
      await this.surely(() => this.parties.abort(fullName))
      await this.allOver(name, performance.now(), arrivals, "it was aborted, and")
    }
    await happens
    this.judge(name, parties, began, arrivals, !areOver)
    // Whatever became of it, it works again.
    await this.surely(() => this.parties.reset(fullName))
    if (await this.surely(() => this.parties.isBroken(fullName))) this.violation(`${name}: it is broken after a reset`)
    for (const { outcome } of arrivals) {
      if (/^\d+$/.test(outcome ?? "")) figures.passed++
      else if (outcome === "BrokenBarrier") figures.broken++
      else if (outcome === "LeaseLost") figures.lost++
      else if (outcome?.startsWith("StoreError")) this.storeError(name, outcome)
      else if (!["dead", left, undefined].includes(outcome)) this.violation(`${name}: ${outcome}`)
    }
  }

  /** What became of those who arrived, and why. */
  private judge(
    name: string,
    parties: number,
    began: number,
    arrivals: ReadonlyArray<Task>,
    wasAborted: boolean
  ): void {
    const { figures } = this
    const outcomes = arrivals.map(({ outcome }) => outcome)
    const indices = outcomes.filter((outcome) => /^\d+$/.test(outcome ?? "")).map(Number)
    const broken = arrivals.filter(({ outcome }) => outcome === "BrokenBarrier")
    // Also one that left when the store could not be told: it is relied on until its lease ends.
    const dead = arrivals.filter(({ isWithdrawn, outcome }) => outcome === "dead" || (outcome === left && !isWithdrawn))
    const wasStopped = arrivals.some(({ meeter }) => meeter.since > began)
    const all = `of ${parties}: ${arrivals.map(show).join("; ")}`
    if (indices.length > 0 && broken.length > 0) this.violation(`${name}: some passed, for some it broke, ${all}`)
    if (new Set(indices).size < indices.length) this.violation(`${name}: two have one index, ${all}`)
    if (indices.some((index) => index >= parties)) this.violation(`${name}: an index that is none, ${all}`)
    if (outcomes.includes("LeaseLost") && !wasStopped && this.lateAt < began) {
      this.violation(`${name}: a lease was lost, and nothing has happened, ${all}`)
    }
    if (broken.length > 0 && !wasAborted && dead.length === 0 && !wasStopped && this.lateAt < began) {
      this.violation(`${name}: it broke, and nothing has happened, ${all}`)
    }
    if (broken.length === 0 || wasAborted || dead.length === 0) return
    figures.brokenByDeath++
    if (wasStopped) return
    const died = Math.max(...dead.map(({ overAt }) => overAt))
    const took = broken.map(({ begunAt, overAt }) => Math.round(overAt - Math.max(died, begunAt)))
    figures.slowestBreak = Math.max(figures.slowestBreak, ...took)
  }

  /** Nobody waits any more, nobody listens any more, and all that is kept expires. */
  private async checkRest(): Promise<void> {
    const stats = this.all.map((meeter) => meeter.begin({ kind: "stats" }))
    await this.allOver("the end", performance.now(), stats, "of those who were asked how many wait there")
    for (const { outcome } of stats) {
      if (outcome !== "0" && outcome !== "dead") this.violation(`${outcome} wait when all is over`)
    }
    const end = performance.now() + slack
    let channels: ReadonlyArray<unknown> = []
    do {
      channels = (await this.client.pubsub("CHANNELS", `${this.prefix}:*`)) as ReadonlyArray<unknown>
    } while (channels.length > 0 && performance.now() < end && (await sleep(10), true))
    if (channels.length > 0) this.violation(`somebody still listens to ${channels.join()}`)
    const keys = await this.client.keys(`${this.prefix}:*`)
    for (const key of keys) {
      if ((await this.client.pttl(key)) === -1) this.violation(`${key} does not expire`)
    }
    if (keys.length > 0) await this.client.del(...keys)
  }
}

await programOf(import.meta, "meeter", (given) =>
  meetingRuns({ ...given, runs: option("runs", 100), lanes: option("lanes", 2), seed: option("seed", 1) })
)
