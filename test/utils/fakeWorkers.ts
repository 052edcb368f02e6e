/**
 * Workers of a pool without threads or processes: they live in this one, and do one thing at a time when they are told to. So a test says who is
 * how far, and looks at every point in between.
 */
import * as board from "../../src/core/board.js"
import * as core from "../../src/core/executor.js"
import { type Listener, Pool, type Port, type Start } from "../../src/core/pool.js"
import { Do, type Hello, type Order, type Run, Say } from "../../src/core/protocol.js"
import type { Time } from "../../src/core/timekeeper.js"
import type { Timer } from "../../src/core/timers.js"
import * as wire from "../../src/core/wire.js"
import { make } from "../../src/core/workerModule.js"

/** A clock that is moved by hand, and knows which timers keep the process alive. */
export class FakeTime implements Time {
  time = 0
  readonly timers = new Map<Timer, { readonly at: number; readonly idle: boolean }>()

  now(): number {
    return this.time
  }

  set(timer: Timer, at: number, idle = false): void {
    this.timers.set(timer, { at, idle })
  }

  clear(timer: Timer): void {
    this.timers.delete(timer)
  }

  get isAwake(): boolean {
    return Array.from(this.timers.values()).some(({ idle }) => !idle)
  }

  sleep(ms: number): void {
    const end = this.time + ms
    for (;;) {
      const due = Array.from(this.timers).toSorted(([, a], [, b]) => a.at - b.at)[0]
      if (due === undefined || due[1].at > end) break
      this.timers.delete(due[0])
      // A little early, as the platform's are.
      this.time = Math.max(this.time, due[1].at - 0.01)
      due[0].fire()
    }
    this.time = end
  }
}

/** What their functions do. The first argument is the number of the job, by which the test knows how often it was begun. */
export interface Functions {
  readonly echo: (n: number) => number
  readonly fails: (n: number) => never
  /** Ends its worker. */
  readonly crashes: (n: number) => never
  /** Goes on until it is told to stop, and does. */
  readonly hangs: (n: number) => never
  /** Goes on until its worker is killed. */
  readonly spins: (n: number) => never
}

/** The module that they have. */
export const functions = make<Functions, unknown>("functions", "fake:functions")

export class FakeWorker implements Port {
  held = true
  going: "no" | "dismissed" | "killed" = "no"
  hasEnded = false
  private hello: Hello | undefined = undefined
  private isReady = false
  private readonly inbox: Array<Order> = []
  private readonly waiting: Array<Run> = []
  private readonly running: Array<Run> = []
  private readonly stopped = new Set<number>()

  constructor(
    private readonly workers: FakeWorkers,
    readonly id: number,
    private readonly listener: Listener
  ) {}

  send(message: unknown): void {
    if (!this.hasEnded) this.inbox.push((this.workers.clones ? structuredClone(message) : message) as Order)
    this.workers.onWork()
  }

  dismiss(): void {
    if (this.going === "no") this.going = "dismissed"
    this.workers.onWork()
  }

  kill(): void {
    this.going = "killed"
    this.workers.onWork()
  }

  hold(held: boolean): void {
    this.held = held
  }

  /** Whether it runs a job. */
  runs(n: number): boolean {
    return !this.hasEnded && this.running.some(([, , , [, , args]]) => args[0] === n)
  }

  /** Whether it has something to do. */
  get isBusy(): boolean {
    return !this.hasEnded && this.next() !== undefined
  }

  /** Does the next thing, if there is one. */
  step(): boolean {
    if (this.hasEnded) return false
    const next = this.next()
    next?.()
    return next !== undefined
  }

  end(cause: unknown = new Error("crash")): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.listener.exited(cause)
  }

  private next(): (() => void) | undefined {
    if (this.going === "killed") return () => this.end(new Error("killed"))
    const order = this.inbox[0]
    if (order !== undefined) return () => this.read(this.inbox.shift()!)
    if (this.hello !== undefined && !this.isReady) return () => this.start()
    const run = this.waiting[0]
    if (run !== undefined && this.running.length < this.hello!.concurrency)
      return () => this.begin(this.waiting.shift()!)
    for (const run of this.running) {
      const act = this.actOf(run)
      if (act !== undefined) return act
    }
    return this.going === "dismissed" && this.running.length === 0 ? () => this.end(undefined) : undefined
  }

  private read(order: Order): void {
    switch (order[0]) {
      case Do.hello:
        this.hello = order[1]
        return
      case Do.run:
        this.waiting.push(order)
        return
      case Do.several:
        this.waiting.push(...order[1])
        return
      case Do.stop:
        this.stopped.add(order[1])
        return
      default:
        throw new Error(`no order of a pool: ${order[0]}`)
    }
  }

  private start(): void {
    this.isReady = true
    const error = this.workers.startError
    this.say(error === undefined ? [Say.ready] : [Say.failed, encode(error)])
  }

  private begin(run: Run): void {
    const [, id, slot, [, , args]] = run
    const shared = this.hello!.board
    if (shared !== undefined && !board.begin(shared, slot, id)) return
    this.running.push(run)
    const n = args[0] as number
    this.workers.begun.set(n, (this.workers.begun.get(n) ?? 0) + 1)
  }

  private actOf(run: Run): (() => void) | undefined {
    const [, id, , [, name, args]] = run
    const over = (message: unknown) => () => {
      this.running.splice(this.running.indexOf(run), 1)
      this.say(message)
    }
    switch (name as keyof Functions) {
      case "echo":
        return over([Say.value, id, args[0], undefined])
      case "fails":
        return over([Say.error, id, encode(new RangeError("it fails")), undefined])
      case "crashes":
        return () => this.end()
      case "hangs": {
        const stopped = new DOMException("it was told to stop", "AbortError")
        return this.stopped.has(id) ? over([Say.error, id, encode(stopped), undefined]) : undefined
      }
      default:
        return undefined
    }
  }

  private say(message: unknown): void {
    this.listener.message(this.workers.clones ? structuredClone(message) : message)
  }
}

const encode = (error: unknown) => wire.encode(error, () => true)

/** Those that a pool has started, in this order. */
export class FakeWorkers {
  readonly all: Array<FakeWorker> = []
  /** How often each job was begun. */
  readonly begun = new Map<number, number>()
  /** Why none can be started. */
  startError: unknown = undefined
  /** Whether messages are cloned, as on a platform. It takes most of the time. */
  clones = true
  /** Called when one of them has something to do, perhaps. */
  onWork: () => void = () => {}

  readonly start: Start = (id, listener) => {
    const worker = new FakeWorker(this, id, listener)
    this.all.push(worker)
    return worker
  }

  get alive(): ReadonlyArray<FakeWorker> {
    return this.all.filter(({ hasEnded }) => !hasEnded)
  }

  /** Whether one of them runs a job. */
  runs(n: number): boolean {
    return this.all.some((worker) => worker.runs(n))
  }

  /** Each does one thing, if it has one to do. */
  step(): boolean {
    let some = false
    for (const worker of this.alive) some = worker.step() || some
    return some
  }

  /** They do all that there is to do. */
  work(): void {
    for (let i = 0; this.step(); i++) if (i > 10_000) throw new Error("it does not come to an end")
  }

  /** Throws when a job was begun twice. */
  checkOnce(): void {
    for (const [n, times] of this.begun) if (times > 1) throw new Error(`job ${n} was begun ${times} times`)
  }
}

/** A pool over such workers, and on such a clock. */
export class FakePool {
  readonly time = new FakeTime()
  readonly workers = new FakeWorkers()
  readonly told: Array<core.Report> = []
  readonly pool: Pool

  constructor(options: core.Options = {}, shared = true) {
    const settings = core.settings(
      "here",
      { max: 1, idleTime: 1_000, grace: 100, ...options },
      { parallelism: 2, shared }
    )
    const hello = { data: undefined, init: undefined }
    this.pool = new Pool(settings, this.time, this.workers.start, hello, (report) => void this.told.push(report))
  }
}

/** What is looked at while a test goes on, and after it. */
export interface Watched {
  readonly time: FakeTime
  readonly workers: FakeWorkers
  readonly pool: Pool
}

/** Has all happen that is to happen without anything new, also what waits for a time, but for idle workers that go. */
export const settle = async ({ pool, time, workers }: Watched): Promise<void> => {
  for (let quiet = 0, i = 0; quiet < 3; i++) {
    if (i > 1_000) throw new Error("it does not come to an end")
    workers.work()
    await new Promise((resolve) => setImmediate(resolve))
    const isAtRest = !workers.alive.some(({ isBusy }) => isBusy) && pool.state.inside === 0 && pool.state.starting === 0
    quiet = isAtRest ? quiet + 1 : 0
    if (!isAtRest && !workers.alive.some(({ isBusy }) => isBusy)) time.sleep(50)
    core.check(pool.state)
  }
}

/** Closes the pool; nothing may be left then. */
export const closeAll = async (watched: Watched): Promise<void> => {
  const { pool, time, workers } = watched
  await settle(watched)
  workers.checkOnce()
  pool.close()
  workers.work()
  // Whoever cannot be ended otherwise.
  time.sleep(100)
  workers.work()
  const { inside, leaving, outside, stage, warming } = pool.state
  const left = [inside, outside.size, leaving.size, warming.size, workers.alive.length, time.timers.size]
  if (stage !== "closed" || left.some((count) => count > 0)) {
    throw new Error(
      `${stage}: ${left.join(", ")} are left (jobs inside and outside, workers that leave, who waits for some, workers alive, timers)`
    )
  }
}

/** Such a worker as a thread of Node looks, for the option `spawn` of the facade. */
export const threadOf = (workers: FakeWorkers, id: number): unknown => {
  const listeners: Record<string, (value: unknown) => void> = {}
  const worker = workers.start(id, {
    message: (message) => listeners.message?.([1, message]),
    exited: () => listeners.exit?.(1)
  })
  return {
    on: (event: string, listener: (value: unknown) => void) => void (listeners[event] = listener),
    postMessage: ([kind, order]: readonly [number, unknown]) => {
      if (kind === 0) worker.send(order, undefined)
      else worker.dismiss()
    },
    terminate: () => worker.kill(),
    ref: () => worker.hold(true),
    unref: () => worker.hold(false)
  }
}
