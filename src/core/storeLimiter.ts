/**
 * A rate limiter whose rates a store keeps, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a
 * timekeeper. It asks by itself, for whoever is in line, and not in the name of a caller: an answer may serve another than was asked for.
 * So nothing that a caller does ends a question: when all have gone who wanted something, what the answer grants is given back.
 *
 * @internal
 */
import type { Decision } from "./rate.js"
import type { RateLimited } from "./rateLimiter.js"
import type { Answer, Granted, Question, State, Step, StoreRequest, StoreReturn, Waiting } from "./rateStore.js"
import * as core from "./rateStore.js"
import type { Chain } from "./ticket.js"
import { concat, wake } from "./ticket.js"
import type { Timekeeper } from "./timekeeper.js"

/** How the store is reached. None of this calls back before it has returned, nor throws. */
export interface Port {
  /** Asks; calls one of the two, once. What it is that failed, only the port knows. */
  ask(request: StoreRequest, answer: (answers: ReadonlyArray<Answer>) => void, fail: (failure: unknown) => void): void
  /** Gives back; calls a function when that is over, however it ended. */
  giveBack(request: StoreReturn, over: () => void): void
  /** A failure that somebody does not hear of. */
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
    this.limiter.proceed(this, nothing)
  }
}

const nothing: Step = { chain: undefined, back: [] }

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
    if (core.wakeAt(this.state, key) <= key.now) this.proceed(key, nothing)
    return this.state.keys.get(name) as Key | undefined
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
    const { key } = ticket.request
    const wasInLine = !ticket.settled
    const step = core.cancel(this.state, ticket)
    // Else its key is another by now, perhaps, or gone.
    if (wasInLine) this.proceed(key, step)
    else this.giveBack(key.name, step.back)
    return undefined
  }

  private giveBack(key: string, grants: ReadonlyArray<Granted>): void {
    if (grants.length === 0) return
    this.port.giveBack({ ...this.state.rate, key, grants }, () => {
      const it = this.state.keys.get(key)
      if (it === undefined) return
      core.returned(it)
      this.proceed(it, nothing)
    })
  }

  /** After each transition: puts the question that is due, and sets the timer for what will be due next. */
  proceed(key: core.Key, { back, chain }: Step): void {
    const { state } = this
    const due = core.due(state, key, this.time.now())
    this.time.set(key, core.wakeAt(state, key))
    if (core.isIdle(key)) state.keys.delete(key.name)
    // What goes back goes before the next question.
    this.giveBack(key.name, back)
    wake(concat(chain, due.chain))
    if (due.question !== undefined) this.ask(key, due.question)
  }

  private ask(key: core.Key, question: Question): void {
    const { asks, ahead } = question
    const { algorithm, burst, interval, limit } = this.state.rate
    this.port.ask(
      { algorithm, limit, interval, burst, key: key.name, asks, ahead },
      (answers) => this.proceed(key, core.answered(this.state, key, answers, this.time.now())),
      (failure) => {
        const step = core.failed(this.state, key, failure, this.time.now())
        if (step.isUnheard) this.port.report(key.name, failure)
        this.proceed(key, step)
      }
    )
  }
}
