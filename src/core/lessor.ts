/**
 * Leases of permits that a store gives out, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a clock.
 * It asks by itself, for whoever is first in line, and not in the name of a caller. So a caller who is interrupted while the store is being asked
 * leaves nothing behind: what is then granted goes to the next in line, or back.
 *
 * **When nobody knows what the store has done** (a question failed: the answer may have been lost on the way), what it may have granted is given
 * back, once, in the background. Both name the same holder, a random id that was made before the question was sent. Should that fail as well,
 * the lease ends by itself.
 *
 * @internal
 */
import { expect, integer, number } from "./arguments.js"
import * as event from "./event.js"
import type { LeaseLost } from "./lease.js"
import * as leases from "./lease.js"
import type { Outcome, Waiting } from "./leaseLine.js"
import * as lines from "./leaseLine.js"
import { checkName, checkPoll, checkPrefix } from "./naming.js"
import type { Chain } from "./ticket.js"
import { settle, wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"

export const MutexTypeId = "~effect-concurrency/DistributedMutex"
export type MutexTypeId = typeof MutexTypeId

export const SemaphoreTypeId = "~effect-concurrency/DistributedSemaphore"
export type SemaphoreTypeId = typeof SemaphoreTypeId

export const LeaseTypeId = "~effect-concurrency/Lease"
export type LeaseTypeId = typeof LeaseTypeId

/** What a store is asked. */
export interface AcquireRequest {
  readonly name: string
  /** An id of its own for each request: a holder is known by it. */
  readonly holder: string
  /** How many permits. */
  readonly permits: number
  /** How many there are, if nobody holds any. Otherwise it is the number that they were asked for with who hold them. */
  readonly limit: number
  /** For how many milliseconds. */
  readonly lease: number
}

/** Whom a store is asked about. */
export interface Holder {
  readonly name: string
  readonly holder: string
}

export interface RenewRequest extends Holder {
  readonly lease: number
}

/** What a store answers. */
export type Answer =
  | { readonly kind: "granted"; readonly token: number; readonly limit: number }
  | { readonly kind: "busy"; readonly retryAfter: number; readonly limit: number }

/** What became of what was given back. */
export interface Released {
  /** Whether it was held until now. */
  readonly held: boolean
  /** How many watchers were told, those of the same process included. */
  readonly watchers: number
}

/** An answer that is none would be taken for one. */
export const checkAnswer = (answer: Answer): Answer => {
  const where = "LeaseStore.acquire"
  expect(typeof answer === "object" && answer !== null, where, "answer", "an object", answer)
  integer(where, "limit", answer.limit, 1)
  if (answer.kind === "granted") integer(where, "token", answer.token, 0)
  else {
    expect(answer.kind === "busy", where, "kind", `"granted" or "busy"`, (answer as Answer).kind)
    number(where, "retryAfter", answer.retryAfter, 0)
  }
  return answer
}

export const checkHeld = (held: boolean): boolean =>
  expect(typeof held === "boolean", "LeaseStore.renew", "answer", "true or false", held)

export const checkReleased = (released: Released): Released => {
  const where = "LeaseStore.release"
  expect(typeof released?.held === "boolean", where, "held", "true or false", released?.held)
  integer(where, "watchers", released.watchers, 0)
  return released
}

/** How the store is reached. None of this calls back before it has returned, nor throws; requests are sent in the order of the calls. */
export interface Port {
  /** Each calls one of the two, once. What it is that failed, only the port knows. */
  acquire(request: AcquireRequest, answer: (answer: Answer) => void, fail: (failure: unknown) => void): void
  renew(request: RenewRequest, answer: (held: boolean) => void, fail: (failure: unknown) => void): void
  release(request: Holder, answer: (released: Released) => void, fail: (failure: unknown) => void): void
  /** Calls `freed` whenever permits may have been freed, from when it has called `watching`. What it returns ends that. */
  watch(name: string, freed: () => void, watching: () => void, fail: (failure: unknown) => void): () => void
  /** A new random id, like no other in any process. */
  id(): string
  /** A random number from 0 to 1. */
  random(): number
  /** Something that nobody waits for, with what failed, if anything did. */
  report(name: string, message: string, failure?: { readonly failure: unknown }): void
  /** What a promise rejects with. */
  errorOf(failure: unknown): unknown
}

export interface Options {
  readonly limit: number
  readonly lease?: number | undefined
  readonly poll?: number | undefined
  readonly prefix?: string | undefined
}

export interface Config {
  readonly limit: number
  readonly lease: number
  readonly poll: number
  readonly prefix: string
}

/** Checks what was given, and adds the defaults. Durations are milliseconds. */
export const config = (where: string, kind: string, options: Options): Config => {
  const { lease = 10_000, limit, poll = 1000, prefix = kind } = options
  return {
    limit: integer(where, "limit", limit, 1, Number.MAX_SAFE_INTEGER),
    lease: leases.checkDuration(where, lease),
    poll: checkPoll(where, poll),
    prefix: checkPrefix(where, prefix)
  }
}

/** Checks a request, before anything is asked. */
export const checkRequest = (where: string, { config }: Lessor, name: string, permits: number): void => {
  checkName(where, name)
  integer(where, "permits", permits, 1, config.limit)
}

/** A line, good for the step in which it was looked up, and while it is in use. */
class Line extends lines.Line {
  /** The watch that counts. */
  stopWatch: (() => void) | undefined = undefined
  /** Whether it was reported that there is none. */
  toldOfWatch = false

  constructor(
    readonly lessor: Lessor,
    name: string
  ) {
    super(name, lessor.config.limit, lessor.config.poll)
  }

  fire(): void {
    this.lessor.proceed(this, undefined)
  }
}

/** What somebody holds. */
export class Held extends leases.Lease {
  /** Set when it is lost. */
  readonly lost = event.make()
  /** Whether somebody was told of the loss. */
  heard = false
  /** Whether it was given back, or is being. */
  letGo = false
  private readonly listeners = new Set<() => void>()

  constructor(
    readonly line: Line,
    readonly holder: string,
    readonly permits: number,
    token: number,
    sentAt: number
  ) {
    super(line.name, token, line.lessor.config.lease, sentAt)
  }

  fire(): void {
    this.line.lessor.follow(this)
  }

  /** The loss, if it is lost by now: also when no timer has said so yet. */
  look(): LeaseLost | undefined {
    const { lessor } = this.line
    lessor.told(this, leases.look(this, lessor.time.now()))
    return this.loss
  }

  /** The same, for somebody who minds. */
  hear(): LeaseLost | undefined {
    const loss = this.look()
    if (loss !== undefined) this.heard = true
    return loss
  }

  /** Milliseconds. */
  get remaining(): number {
    return leases.remaining(this, this.line.lessor.time.now())
  }

  /** Calls a function when it is lost. What this returns prevents it. */
  listen(f: () => void): () => void {
    this.listeners.add(f)
    return () => void this.listeners.delete(f)
  }

  /** It is lost: tells those who listen, and then those who wait. */
  tell(): void {
    const all = [...this.listeners]
    this.listeners.clear()
    for (const each of all) each()
    wake(event.set(this.lost))
  }

  /** Gives it back. Calls a function when that is over, with the loss, if it was lost before. */
  release(done: (loss: LeaseLost | undefined) => void): void {
    this.line.lessor.release(this, done)
  }
}

export interface Stats {
  /** How many leases are held, in this process. */
  readonly held: number
  /** How many requests wait, in this process. */
  readonly waiting: number
}

export class Lessor {
  private readonly lines = new Map<string, Line>()
  private held = 0
  /** The limits of others that were reported. */
  private readonly limits = new Set<number>()
  private readonly roll = (): number => this.port.random()

  constructor(
    readonly config: Config,
    readonly port: Port,
    readonly time: Time
  ) {}

  /** The line to enqueue in, in this step: one that is new is kept only by what is in it. */
  line(name: string): Line {
    return this.lines.get(name) ?? new Line(this, name)
  }

  enqueue(ticket: Waiting): void {
    const line = ticket.request.line as Line
    if (ticket.request.tries && lines.isBusy(line, ticket.request.permits))
      return wake(settle(undefined, ticket, { kind: "busy" }))
    this.lines.set(line.name, line)
    lines.enqueue(line, ticket, this.time.now())
    this.proceed(line, undefined)
  }

  cancel(ticket: Waiting): Chain {
    const line = ticket.request.line as Line
    const { chain, taken } = lines.cancel(line, ticket, this.time.now())
    if (taken) this.release(heldOf(ticket.result!), () => {})
    else this.proceed(line, chain)
    return undefined
  }

  /** After each transition of a line: puts the question that is due, or sets the timer for when it will be. */
  proceed(line: Line, chain: Chain): void {
    const { time } = this
    const now = time.now()
    const permits = lines.due(line, now)
    if (line.wakeAt < Infinity) time.set(line, line.wakeAt)
    else time.clear(line)
    const watch = lines.watchDue(line)
    if (watch === "start") this.watch(line)
    else if (watch === "stop") this.unwatch(line)
    if (lines.isIdle(line)) this.forget(line)
    if (permits !== undefined) this.ask(line, permits, now)
    wake(chain)
  }

  /** Its name has another line by now, perhaps. */
  private forget(line: Line): void {
    if (this.lines.get(line.name) === line) this.lines.delete(line.name)
  }

  private nameOf(line: Line): string {
    return `${this.config.prefix}:${line.name}`
  }

  private ask(line: Line, permits: number, sentAt: number): void {
    const { limit, lease } = this.config
    const holder = this.port.id()
    const name = this.nameOf(line)
    this.port.acquire(
      { name, holder, permits, limit, lease },
      (answer) => {
        this.compare(line, answer.limit)
        if (answer.kind === "granted") return this.granted(line, holder, permits, answer, sentAt)
        const chain = lines.refused(line, answer.limit, answer.retryAfter, this.time.now(), this.roll)
        this.proceed(line, chain)
      },
      (failure) => {
        this.port.release({ name, holder }, nothing, nothing)
        const chain = lines.failed(line, failure)
        if (chain === undefined) this.port.report(line.name, "the store failed when the caller had gone", { failure })
        this.proceed(line, chain)
      }
    )
  }

  private granted(
    line: Line,
    holder: string,
    permits: number,
    { limit, token }: Extract<Answer, { kind: "granted" }>,
    sentAt: number
  ): void {
    const held = new Held(line, holder, permits, token, sentAt)
    const { chain, taken } = lines.granted(line, held, limit, this.time.now())
    if (taken) {
      this.held++
      this.follow(held)
    } else {
      leases.ending(held)
      // Before the next question.
      this.giveBack(held)
    }
    this.proceed(line, chain)
  }

  /** A limit that differs between processes is told once. */
  private compare({ name }: Line, limit: number): void {
    const own = this.config.limit
    if (limit === own || this.limits.has(limit)) return
    this.limits.add(limit)
    this.port.report(
      name,
      `the limit is ${limit} and not ${own} as configured here: whoever holds permits now asked for them with that, and it stays until nobody holds any`
    )
  }

  /** After each transition of a lease, and when its timer fires: sends the renewal that is due, or tells of the loss. */
  follow(held: Held): void {
    const { time } = this
    const step = leases.due(held, time.now())
    time.set(held, leases.wakeAt(held), true)
    if (step === "renew") this.renew(held)
    else this.told(held, step)
  }

  private renew(held: Held): void {
    const { port, time } = this
    const over = (loss: LeaseLost | undefined) => {
      this.told(held, loss)
      if (held.status === "held") this.follow(held)
    }
    port.renew(
      { name: this.nameOf(held.line), holder: held.holder, lease: held.duration },
      (isHeld) => over(leases.renewed(held, isHeld, time.now())),
      () => over(leases.failed(held, time.now(), port.random()))
    )
  }

  /** A lease was found lost in this step: nobody here waits for it any more, and whoever listens is told. */
  told(held: Held, loss: LeaseLost | undefined): void {
    if (loss === undefined) return
    this.time.clear(held)
    this.over(held, 0)
    held.tell()
  }

  private holderOf(held: Held): Holder {
    return { name: this.nameOf(held.line), holder: held.holder }
  }

  private over(held: Held, watchers: number): void {
    const { line, permits } = held
    this.held--
    this.proceed(line, lines.ended(line, permits, watchers, this.time.now(), this.roll))
  }

  /** Gives it back for somebody who cannot be told (at the end of a scope, say): a loss that nobody has heard of is reported. */
  leave(held: Held, done: () => void): void {
    this.release(held, (loss) => {
      if (loss !== undefined && !held.heard)
        this.port.report(held.name, `${loss.message}, and nobody was told before it was given back`)
      done()
    })
  }

  release(held: Held, done: (loss: LeaseLost | undefined) => void): void {
    const loss = held.look()
    if (held.letGo) return done(loss)
    held.letGo = true
    if (loss !== undefined) {
      // The store may still have it: on its clock it ends a little later, or a renewal has arrived whose answer has not.
      if (loss.reason === "expired") this.port.release(this.holderOf(held), nothing, nothing)
      return done(loss)
    }
    const { line } = held
    lines.ending(line)
    this.time.clear(held)
    leases.ending(held)
    this.port.release(
      this.holderOf(held),
      (released) => {
        const loss = released.held ? undefined : leases.refused(held)
        leases.ended(held)
        this.over(held, released.watchers)
        if (loss !== undefined) held.tell()
        done(loss)
      },
      (failure) => {
        leases.ended(held)
        this.port.report(line.name, "the lease could not be given back, and ends by itself", { failure })
        this.over(held, 0)
        done(undefined)
      }
    )
  }

  /** What nobody wants any more. */
  private giveBack(held: Held): void {
    this.port.release(this.holderOf(held), nothing, (failure) =>
      this.port.report(held.line.name, "what nobody waited for any more could not be given back, and ends by itself", {
        failure
      })
    )
  }

  private watch(line: Line): void {
    const { port, time } = this
    const isCurrent = () => line.stopWatch === stop
    const stop = port.watch(
      this.nameOf(line),
      () => isCurrent() && this.proceed(line, lines.news(line, time.now())),
      () => {
        if (!isCurrent()) return
        line.toldOfWatch = false
        this.proceed(line, lines.watched(line, time.now()))
      },
      (failure) => {
        if (!isCurrent()) return
        line.stopWatch = undefined
        lines.watchFailed(line)
        if (line.toldOfWatch) return
        line.toldOfWatch = true
        const message = `the store does not tell when permits are freed: it is asked every ${line.poll} ms instead`
        port.report(line.name, message, { failure })
      }
    )
    line.stopWatch = stop
  }

  private unwatch(line: Line): void {
    const { stopWatch } = line
    line.stopWatch = undefined
    stopWatch?.()
  }

  stats(): Stats {
    let waiting = 0
    for (const line of this.lines.values()) waiting += line.waiting.size
    return Object.freeze({ held: this.held, waiting })
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const line of this.lines.values()) lines.check(line)
  }

  /** Whether nothing is left of anybody. For tests. */
  get isIdle(): boolean {
    return this.lines.size === 0
  }
}

const nothing = (): void => {}

const heldOf = (outcome: Outcome): Held => (outcome as Extract<Outcome, { kind: "granted" }>).lease as Held
