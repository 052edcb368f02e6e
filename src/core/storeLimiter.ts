/**
 * A rate limiter whose rates a store keeps, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a
 * timekeeper. It asks by itself, for whoever is in line, and not in the name of a caller: an answer may serve another than was asked for.
 *
 * @internal
 */
import type { Decision } from "./rate.js"
import type { RateLimited } from "./rateLimiter.js"
import type { Answer, Question, State, StoreRequest, Waiting } from "./rateStore.js"
import * as core from "./rateStore.js"
import type { Chain } from "./ticket.js"
import { wake } from "./ticket.js"
import type { Timekeeper } from "./timekeeper.js"

/** How the store is reached. None of this calls back before it has returned, nor throws. */
export interface Port {
  /** Asks; calls one of the two, once. What it is that failed, only the port knows. */
  ask(request: StoreRequest, answer: (answer: Answer) => void, fail: (failure: unknown) => void): void
  /** Gives back; calls a function when that is over, however it ended. */
  giveBack(request: StoreRequest, answer: Answer, over: () => void): void
  /** A failure that nobody waits for any more. */
  report(key: string, failure: unknown): void
  /** What a promise rejects with. */
  errorOf(failure: unknown): unknown
}

/** A key, good for the step in which it was looked up. */
export class Key extends core.Key {
  /** When it was looked up. */
  now = 0

  constructor(
    private readonly limiter: StoreLimiter,
    name: string
  ) {
    super(name)
  }

  fire(): void {
    this.limiter.proceed(this, undefined)
  }
}

export class StoreLimiter {
  constructor(
    readonly state: State,
    readonly port: Port,
    private readonly time: Timekeeper
  ) {}

  /** The key to enqueue for, in this step: one that is new is kept only by what is in line for it. */
  key(name: string): Key {
    let key = this.find(name)
    if (key === undefined) {
      this.state.keys.set(name, (key = new Key(this, name)))
      key.now = this.time.now()
    }
    return key
  }

  private find(name: string): Key | undefined {
    const key = this.state.keys.get(name) as Key | undefined
    if (key === undefined) return undefined
    key.now = this.time.now()
    // Its timer may be late.
    if (key.wakeAt <= key.now) this.proceed(key, undefined)
    return key
  }

  /** Why a request cannot wait, if it cannot. */
  refusal(name: string, cost: number): RateLimited | undefined {
    const key = this.find(name)
    return key && core.refusal(this.state, key, cost, key.now)
  }

  /** What is known without asking. */
  refused(name: string, cost: number): Decision | undefined {
    const key = this.find(name)
    return key && core.refused(this.state, key, cost, key.now)
  }

  enqueue(ticket: Waiting): void {
    const key = ticket.request.key as Key
    this.proceed(key, core.enqueue(this.state, ticket, key.now))
  }

  cancel(ticket: Waiting): Chain {
    const { cost, key } = ticket.request
    const answer = core.cancel(ticket, this.time.now())
    if (answer !== undefined) this.giveBack(key.name, cost, answer)
    // Its key is another by now, perhaps, or gone.
    else if (this.state.keys.get(key.name) === key) this.proceed(key, undefined)
    return undefined
  }

  private giveBack(name: string, cost: number, answer: Answer): void {
    if (cost === 0) return
    this.port.giveBack(this.request(name, cost), answer, () => {
      const key = this.state.keys.get(name)
      if (key === undefined) return
      core.returned(key, this.time.now())
      this.proceed(key, undefined)
    })
  }

  private request(key: string, cost: number): StoreRequest {
    return { ...this.state.rate, key, cost }
  }

  /** After each transition: puts the question that is due, or sets the timer for when it will be. */
  proceed(key: core.Key, chain: Chain): void {
    const question = core.due(key, this.time.now())
    if (key.wakeAt < Infinity) this.time.set(key, key.wakeAt)
    else this.time.clear(key)
    if (core.isIdle(key)) this.state.keys.delete(key.name)
    wake(chain)
    if (question !== undefined) this.ask(key, question)
  }

  private ask(key: core.Key, question: Question): void {
    this.port.ask(
      this.request(key.name, question.cost),
      (answer) => {
        const { chain, left } = core.answered(this.state, key, answer, this.time.now())
        // What goes back goes before the next question.
        this.giveBack(key.name, left, answer)
        this.proceed(key, chain)
      },
      (failure) => {
        const chain = core.failed(key, failure, this.time.now())
        if (chain === undefined) this.port.report(key.name, failure)
        this.proceed(key, chain)
      }
    )
  }
}
