/**
 * Flags that a store keeps, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a clock.
 *
 * @internal
 */
import { expect, integer, record } from "./arguments.js"
import type { Look, Waiting } from "./latch.js"
import * as latch from "./latch.js"
import * as lookout from "./lookout.js"
import { checkPoll, checkPrefix } from "./naming.js"
import type { Chain } from "./ticket.js"
import { wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"
import { Timer } from "./timers.js"
import type * as watcher from "./watcher.js"
import { Watcher } from "./watcher.js"

export const TypeId = "~effect-concurrency/DistributedEvent"
export type TypeId = typeof TypeId

/** What is to be set. */
export interface SetRequest {
  readonly name: string
  /** For how many milliseconds; if it is not given, until it is cleared. */
  readonly timeToLive?: number | undefined
}

/** An answer that is none would be taken for one. */
export const checkLook = (look: Look): Look => {
  const where = "LatchStore.look"
  expect(typeof look?.isSet === "boolean", where, "isSet", "true or false", look?.isSet)
  integer(where, "count", look.count, 0)
  return look
}

/** How the store is reached. None of this calls back before it has returned, nor throws; requests are sent in the order of the calls. */
export interface Port extends watcher.Port {
  /** Each calls one of the two, once. What it is that failed, only the port knows. */
  set(request: SetRequest, done: () => void, fail: (failure: unknown) => void): void
  clear(name: string, done: () => void, fail: (failure: unknown) => void): void
  pulse(name: string, done: () => void, fail: (failure: unknown) => void): void
  look(name: string, answer: (look: Look) => void, fail: (failure: unknown) => void): void
  /** A random number from 0 to 1. */
  random(): number
  /** What a promise rejects with. */
  errorOf(failure: unknown): unknown
}

export interface Options {
  readonly poll?: number | undefined
  readonly prefix?: string | undefined
}

export interface Config {
  readonly poll: number
  readonly prefix: string
}

/** Checks what was given, and adds the defaults. Durations are milliseconds. */
export const config = (where: string, options: Options): Config => {
  const { poll = 1000, prefix = "event" } = record(where, options)
  return { poll: checkPoll(where, poll), prefix: checkPrefix(where, prefix) }
}

/** A hundred years: a server could not count much further. */
const longest = 100 * 365 * 86_400_000

/** Whole milliseconds: a flag is set for no less than was asked for. Infinity is no limit. */
export const checkTimeToLive = (where: string, milliseconds = Infinity): number | undefined => {
  const holds = milliseconds === Infinity || (milliseconds > 0 && milliseconds <= longest)
  expect(holds, where, "timeToLive", "more than 0 ms, and at most 100 years", milliseconds, "number")
  return milliseconds === Infinity ? undefined : Math.ceil(milliseconds)
}

/** A line, good for the step in which it was looked up, and while somebody waits. */
class Line extends Timer {
  readonly state: latch.State
  readonly watcher: Watcher

  constructor(
    readonly latches: Latches,
    readonly name: string
  ) {
    super()
    const { config, port } = latches
    this.state = latch.make(config.poll)
    this.watcher = new Watcher(port, name, latches.nameOf(name), () => latches.changed(this), config.poll)
  }

  fire(): void {
    this.latches.proceed(this, undefined)
  }
}

export type { Line }

export interface Stats {
  /** How many wait, in this process. */
  readonly waiting: number
}

export class Latches {
  private readonly lines = new Map<string, Line>()

  constructor(
    readonly config: Config,
    readonly port: Port,
    readonly time: Time
  ) {}

  nameOf(name: string): string {
    return `${this.config.prefix}:${name}`
  }

  /** Where those wait who wait for a name, from this step on. */
  line(name: string): Line {
    const line = this.lines.get(name) ?? new Line(this, name)
    this.lines.set(name, line)
    return line
  }

  enqueue(line: Line, ticket: Waiting): void {
    lookout.enqueue(line.state.lookout, ticket, this.time.now())
    this.proceed(line, undefined)
  }

  cancel(line: Line, ticket: Waiting): Chain {
    this.proceed(line, lookout.cancel(line.state.lookout, ticket))
    return undefined
  }

  changed(line: Line): void {
    lookout.changed(line.state.lookout, this.time.now())
    this.proceed(line, undefined)
  }

  /** After each transition of a line: puts the question that is due, or sets the timer for when it will be. */
  proceed(line: Line, chain: Chain): void {
    const { time } = this
    const now = time.now()
    const state = line.state.lookout
    const isDue = lookout.due(state, now)
    if (state.wakeAt < Infinity) time.set(line, state.wakeAt)
    else time.clear(line)
    const isIdle = lookout.isIdle(state)
    if (isIdle && this.lines.get(line.name) === line) this.lines.delete(line.name)
    if (isDue) this.ask(line)
    if (lookout.wantsWatch(state, now)) line.watcher.start()
    else if (state.waiting.size === 0) line.watcher.end()
    wake(chain)
  }

  private ask(line: Line): void {
    const { port, time } = this
    const { state } = line
    port.look(
      this.nameOf(line.name),
      (look) => this.proceed(line, latch.answered(state, look, time.now(), port.random())),
      (failure) => this.proceed(line, latch.failed(state, failure, time.now()))
    )
  }

  stats(): Stats {
    let waiting = 0
    for (const { state } of this.lines.values()) waiting += state.lookout.waiting.size
    return Object.freeze({ waiting })
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const { state } of this.lines.values()) latch.check(state)
  }

  /** Whether nothing is left of anybody. For tests. */
  get isIdle(): boolean {
    return this.lines.size === 0
  }
}
