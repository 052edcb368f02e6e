/**
 * Barriers that a store keeps, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a clock.
 *
 * @internal
 */
import { expect, integer, oneOf, record } from "./arguments.js"
import * as leases from "./lease.js"
import * as lookout from "./lookout.js"
import { checkPoll, checkPrefix } from "./naming.js"
import type { Answer } from "./party.js"
import * as core from "./party.js"
import type { Chain } from "./ticket.js"
import { wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"
import type * as watcher from "./watcher.js"
import { Watcher } from "./watcher.js"

export const TypeId = "~effect-concurrency/DistributedBarrier"
export type TypeId = typeof TypeId

/** A party, as a store is told of it. */
export interface PartyRequest {
  readonly name: string
  /** An id of its own for each arrival. */
  readonly party: string
  /** For how many milliseconds from now it is relied on. */
  readonly lease: number
}

export interface ArriveRequest extends PartyRequest {
  /** How many have to arrive, if nobody waits yet. Otherwise it is the number that the first of them came with. */
  readonly parties: number
}

export interface WithdrawRequest extends PartyRequest {
  /** Whether that breaks the barrier. */
  readonly breaks: boolean
}

/** An answer that is none would be taken for one. */
export const checkAnswer = (answer: Answer): Answer => {
  const where = "PartyStore"
  oneOf(where, "kind", answer?.kind, ["waiting", "passed", "broken", "unknown"])
  if (answer.kind === "unknown") return answer
  integer(where, "parties", answer.parties, 1)
  if (answer.kind === "passed") integer(where, "index", answer.index, 0)
  if (answer.kind === "waiting") integer(where, "generation", answer.generation, 0)
  return answer
}

export const checkBroken = (isBroken: boolean): boolean =>
  expect(typeof isBroken === "boolean", "PartyStore.isBroken", "answer", "true or false", isBroken)

/** How the store is reached. None of this calls back before it has returned, nor throws; requests are sent in the order of the calls. */
export interface Port extends watcher.Port {
  /** Each calls one of the two, once. What it is that failed, only the port knows. */
  arrive(request: ArriveRequest, answer: (answer: Answer) => void, fail: (failure: unknown) => void): void
  renew(request: PartyRequest, answer: (answer: Answer) => void, fail: (failure: unknown) => void): void
  withdraw(request: WithdrawRequest, done: () => void, fail: (failure: unknown) => void): void
  reset(name: string, done: () => void, fail: (failure: unknown) => void): void
  abort(name: string, done: () => void, fail: (failure: unknown) => void): void
  isBroken(name: string, answer: (isBroken: boolean) => void, fail: (failure: unknown) => void): void
  /** A new random id, like no other in any process. */
  id(): string
  /** A random number from 0 to 1. */
  random(): number
  /** What a promise rejects with. */
  errorOf(failure: unknown): unknown
}

export type OnInterrupt = "withdraw" | "break"

export interface Options {
  readonly parties: number
  readonly lease?: number | undefined
  readonly onInterrupt?: OnInterrupt | undefined
  readonly poll?: number | undefined
  readonly prefix?: string | undefined
}

export interface Config {
  readonly parties: number
  readonly lease: number
  readonly breaks: boolean
  readonly poll: number
  readonly prefix: string
}

/** A store keeps something of each, and looks through all when they pass. */
const mostParties = 100_000

/** Checks what was given, and adds the defaults. Durations are milliseconds. */
export const config = (where: string, options: Options): Config => {
  const { lease = 10_000, onInterrupt = "withdraw", parties, poll = 1000, prefix = "barrier" } = record(where, options)
  return {
    parties: integer(where, "parties", parties, 1, mostParties),
    lease: leases.checkDuration(where, lease),
    breaks: oneOf(where, "onInterrupt", onInterrupt, ["withdraw", "break"]) === "break",
    poll: checkPoll(where, poll),
    prefix: checkPrefix(where, prefix)
  }
}

/** One arrival. */
class Arrival extends core.Party {
  readonly watcher: Watcher

  constructor(
    readonly all: Parties,
    name: string
  ) {
    const { config, port } = all
    super(name, port.id(), config.lease, config.poll)
    this.watcher = new Watcher(port, name, all.nameOf(name), () => all.changed(this), this.lookout.poll)
  }

  fire(): void {
    this.all.proceed(this, undefined)
  }
}

export type { Arrival }

export interface Stats {
  /** How many wait, in this process, at barriers of any name. */
  readonly waiting: number
}

export class Parties {
  private readonly waiting = new Set<Arrival>()
  /** The numbers of others that were reported. */
  private readonly numbers = new Set<number>()

  constructor(
    readonly config: Config,
    readonly port: Port,
    readonly time: Time
  ) {}

  nameOf(name: string): string {
    return `${this.config.prefix}:${name}`
  }

  arrival(name: string): Arrival {
    return new Arrival(this, name)
  }

  enqueue(arrival: Arrival, ticket: lookout.Waiting): void {
    this.waiting.add(arrival)
    lookout.enqueue(arrival.lookout, ticket, this.time.now())
    this.proceed(arrival, undefined)
  }

  cancel(arrival: Arrival, ticket: lookout.Waiting): Chain {
    if (core.cancel(arrival, ticket)) this.withdraw(arrival)
    this.proceed(arrival, undefined)
    return undefined
  }

  changed(arrival: Arrival): void {
    core.changed(arrival, this.time.now())
    this.proceed(arrival, undefined)
  }

  /** After each transition of a party: puts the question that is due, or sets the timer for when it will be. */
  proceed(arrival: Arrival, chain: Chain): void {
    const { time } = this
    const now = time.now()
    const step = core.due(arrival, now)
    const state = arrival.lookout
    if (state.wakeAt < Infinity) time.set(arrival, state.wakeAt)
    else time.clear(arrival)
    if (step !== undefined) this.ask(arrival, step)
    if (lookout.wantsWatch(state, now)) arrival.watcher.start()
    if (state.waiting.size === 0) {
      arrival.watcher.end()
      this.waiting.delete(arrival)
    }
    wake(chain)
  }

  private requestOf({ id, lease, name }: Arrival): PartyRequest {
    return { name: this.nameOf(name), party: id, lease }
  }

  private ask(arrival: Arrival, step: "arrive" | "renew"): void {
    const { config, port, time } = this
    const request = this.requestOf(arrival)
    const answered = (answer: Answer) => {
      if (answer.kind !== "unknown") this.compare(arrival, answer.parties)
      this.proceed(arrival, core.answered(arrival, answer, time.now(), port.random()))
    }
    const failed = (failure: unknown) => {
      const { chain, isDoubtful } = core.failed(arrival, failure, time.now(), port.random())
      if (isDoubtful) this.withdraw(arrival)
      this.proceed(arrival, chain)
    }
    if (step === "arrive") port.arrive({ ...request, parties: config.parties }, answered, failed)
    else port.renew(request, answered, failed)
  }

  /** Should that fail as well: its lease ends by itself. */
  private withdraw(arrival: Arrival): void {
    this.port.withdraw({ ...this.requestOf(arrival), breaks: this.config.breaks }, nothing, (failure) =>
      this.port.report(
        arrival.name,
        "a party that is gone could not be withdrawn: the others hear of it when its lease ends",
        {
          failure
        }
      )
    )
  }

  /** A number that differs between processes is told once. */
  private compare({ name }: Arrival, parties: number): void {
    const own = this.config.parties
    if (parties === own || this.numbers.has(parties)) return
    this.numbers.add(parties)
    this.port.report(
      name,
      `the number of parties is ${parties} and not ${own} as configured here: the first who waits now came with that, and it stays until nobody waits`
    )
  }

  stats(): Stats {
    return Object.freeze({ waiting: this.waiting.size })
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const arrival of this.waiting) core.check(arrival)
  }
}

const nothing = (): void => {}
