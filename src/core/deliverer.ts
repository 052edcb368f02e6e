/**
 * A queue that a store keeps, on a clock: what both skins call.
 *
 * It is no core, for it wakes whom it finds due, and it does not ask the store itself: it is handed a port, which answers later, and a
 * timekeeper. It asks by itself, for whoever is in line, and not in the name of a caller: an answer may serve another than was asked for.
 *
 * @internal
 */
import type { Change, Counts, ExchangeAnswer, ExchangeRequest, Outcome, Settings } from "./deliveries.js"
import { isAtRest } from "./deliveries.js"
import type { Held, Judged, Note, State, Waiting } from "./deliveryLine.js"
import * as core from "./deliveryLine.js"
import * as lookout from "./lookout.js"
import type { Chain, Ticket } from "./ticket.js"
import { wake } from "./ticket.js"
import type { Timekeeper } from "./timekeeper.js"
import { Timer } from "./timers.js"

/** How the store is reached. None of this calls back before it has returned, nor throws. */
export interface Port {
  /** Asks; calls one of the two, once. What it is that failed, only the port knows. */
  exchange(request: ExchangeRequest, answer: (answer: ExchangeAnswer) => void, fail: (failure: unknown) => void): void
  counts(name: string, answer: (counts: Counts) => void, fail: (failure: unknown) => void): void
  /** Hears of changes, once it has said that it does, until it is told to stop. If it never can, or cannot any more, it says so. */
  watch(name: string, changed: (change: Change) => void, watching: () => void, over: () => void): () => void
  /** Whether a failure is one that passes, as an outage does. */
  isPassing(failure: unknown): boolean
  /** What a promise rejects with. */
  errorOf(failure: unknown): unknown
  /** Tells what nobody waits for. */
  report(note: Note): void
  /** From 0 to 1. */
  random(): number
  /** A text that no other process makes. */
  unique(): string
}

/** The timer of the line, and of those who wait for its end. */
class Alarm extends Timer {
  constructor(private readonly ring: () => void) {
    super()
  }

  fire(): void {
    this.ring()
  }
}

export class Deliverer {
  readonly state: State
  readonly joining: lookout.State
  private readonly alarm = new Alarm(() => this.proceed())
  private readonly joinAlarm = new Alarm(() => this.proceedJoin())
  private unwatch: (() => void) | undefined = undefined
  private isWatching = false
  /** The names of deliveries: what no other process has, and a number. */
  private readonly mark: string
  private count = 0

  constructor(
    readonly settings: Settings,
    readonly port: Port,
    readonly time: Timekeeper
  ) {
    this.state = core.make(settings)
    this.joining = lookout.make(settings.poll)
    this.mark = port.unique()
  }

  private readonly name = (): string => `${this.mark}:${(this.count++).toString(36)}`

  /** Waits for a delivery. */
  enqueue(ticket: Waiting): void {
    core.enqueue(this.state, ticket, this.time.now())
    this.proceed()
  }

  cancel(ticket: Waiting): Chain {
    return this.done(core.cancel(this.state, ticket, this.time.now()))
  }

  /** Settles a delivery. Whoever then waits for the next goes in the same question. */
  settle(
    held: Held,
    outcome: Outcome,
    options?: { waiting?: Judged; cause?: unknown; next?: Waiting | undefined }
  ): void {
    const now = this.time.now()
    const done = core.settleWith(this.state, held, outcome, now, options?.waiting, options?.cause)
    if (options?.next !== undefined) core.enqueue(this.state, options.next, now)
    wake(this.done(done))
  }

  /** Waits until the store has heard all that was settled, or could not be reached. */
  flush(ticket: Ticket<undefined, undefined>): Chain {
    return core.flush(this.state, ticket)
  }

  /** Finds a lease lost if its time is over. */
  look(held: Held): void {
    wake(this.done(core.look(this.state, held, this.time.now())))
  }

  /** Waits until nothing is left to be done. */
  join(ticket: lookout.Waiting): void {
    lookout.enqueue(this.joining, ticket, this.time.now())
    this.proceedJoin()
  }

  cancelJoin(ticket: lookout.Waiting): Chain {
    const chain = lookout.cancel(this.joining, ticket)
    this.proceedJoin()
    return chain
  }

  /** After each transition: puts what is due, and sets the timer for when something will be. Whom to wake is left to whoever asks. */
  private done(done: core.Done): Chain {
    const now = this.time.now()
    const question = core.due(this.state, now, this.name, done)
    this.set(this.alarm, core.wakeAt(this.state), core.isIdle(this.state))
    this.watchIfNeeded(now)
    for (const note of done.notes) this.port.report(note)
    if (question !== undefined) this.ask(question.request)
    return done.chain
  }

  private proceed(): void {
    wake(this.done(new core.Done()))
  }

  private ask(request: ExchangeRequest): void {
    const { port, state, time } = this
    const roll = () => port.random()
    port.exchange(
      request,
      (answer) => wake(this.done(core.answered(state, answer, time.now(), roll))),
      (failure) => {
        const isPassing = port.isPassing(failure)
        wake(this.done(core.failed(state, failure, isPassing, time.now(), roll)))
      }
    )
  }

  private proceedJoin(chain?: Chain): void {
    const { joining, port, settings, time } = this
    const now = time.now()
    const isDue = lookout.due(joining, now)
    this.set(this.joinAlarm, joining.wakeAt, lookout.isIdle(joining))
    this.watchIfNeeded(now)
    wake(chain)
    if (!isDue) return
    port.counts(
      settings.name,
      (counts) => this.proceedJoin(lookout.answered(joining, isAtRest(counts), time.now(), port.random())),
      (failure) => this.proceedJoin(lookout.failed(joining, failure, time.now()))
    )
  }

  /** One that rings too early does no harm, and moving it for each delivery would cost more. Nobody is kept awake for nothing. */
  private set(timer: Timer, at: number, isIdle: boolean): void {
    if (isIdle) this.time.clear(timer)
    else if (timer.place < 0 || at < timer.at) this.time.set(timer, at)
  }

  /** Watches the store while somebody sleeps, and until there is nothing left that could make somebody. */
  private watchIfNeeded(now: number): void {
    const { joining, state } = this
    if (core.isIdle(state) && lookout.isIdle(joining)) {
      this.unwatch?.()
      this.unwatch = undefined
      this.isWatching = false
    } else if (this.unwatch === undefined && (core.wantsWatch(state, now) || lookout.wantsWatch(joining, now))) {
      this.watch()
    }
  }

  private watch(): void {
    // What an earlier watch says that was ended meanwhile is nobody's business.
    let isThis = true
    const stop = this.port.watch(
      this.settings.name,
      (change) => {
        if (isThis) this.changed(change)
      },
      () => {
        if (!isThis) return
        this.isWatching = true
        this.changed(undefined)
      },
      () => {
        if (!isThis) return
        isThis = false
        // The next who goes to sleep tries again.
        this.unwatch = undefined
        this.isWatching = false
      }
    )
    this.unwatch = () => {
      isThis = false
      stop()
    }
  }

  private changed(change: Change): void {
    const now = this.time.now()
    if (change !== "idle") {
      core.changed(this.state, now)
      this.proceed()
    }
    if (change !== "ready") {
      lookout.changed(this.joining, now)
      this.proceedJoin()
    }
  }

  stats(): core.Stats & { readonly watching: boolean } {
    return Object.freeze({ ...core.stats(this.state), watching: this.isWatching })
  }
}
