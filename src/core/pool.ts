/**
 * An executor on a clock, with workers of a platform: what both skins call.
 *
 * It is no core, for it starts workers, sends and wakes, but it has no clock and no platform either: it is handed both. What a transition of
 * the core wants done is done here, in its order, and then those are woken who are to know.
 *
 * @internal
 */
import type { Action, State } from "./executor.js"
import * as core from "./executor.js"
import type { Call, End, Job, Stop } from "./job.js"
import { JobTimeout } from "./job.js"
import type { Worker } from "./poolWorker.js"
import type { Answer, Hello, Message, Run } from "./protocol.js"
import { Do, Say } from "./protocol.js"
import type { Chain } from "./ticket.js"
import { concat, wake } from "./ticket.js"
import type { Time } from "./timekeeper.js"
import { Timer } from "./timers.js"
import * as wire from "./wire.js"

/** A worker as its platform has it. */
export interface Port {
  /** Throws when the message cannot be cloned. */
  send(message: unknown, transfer: ReadonlyArray<unknown> | undefined): void
  /** Tells it to end when it can. */
  dismiss(): void
  /** Ends it, whatever it does. */
  kill(): void
  /** Whether it keeps the process alive. */
  hold(held: boolean): void
}

/** What is told of a worker: what it says, and, once, that it has ended. */
export interface Listener {
  message(message: unknown): void
  exited(cause: unknown): void
}

/** Starts a worker. That it could not be started is told like its end. Nothing is told before this returns. */
export type Start = (id: number, listener: Listener) => Port

/** Where that goes which nobody waits for. It is told when all else is done, for it may come straight back. */
export type Tell = (report: core.Report) => void

export class Pool {
  readonly state: State
  private readonly ports = new Map<Worker, Held>()
  private readonly timer: PoolTimer = new PoolTimer(this)
  /** When the timer rings. It may be earlier than it need be: moving it for each job would cost more than a ring in vain. */
  private alarm = Infinity
  /** Whether it keeps the process alive. */
  private awake = false
  private acting = false
  /** Workers with something that is to be sent in this step. */
  private readonly unsent: Array<Held> = []
  private readonly untold: Array<core.Report> = []

  constructor(
    settings: core.Settings,
    private readonly time: Time,
    private readonly startWorker: Start,
    /** What each worker is told first, but for its board. */
    private readonly hello: Pick<Hello, "data" | "init">,
    private readonly tell: Tell
  ) {
    this.state = core.make(settings)
    core.fill(this.state, settings.min, time.now())
    this.after(undefined)
  }

  submit(call: Call): void {
    this.after(core.submit(this.state, call, this.time.now()))
  }

  /** The same, unless it would have to wait for room. */
  submitNow(call: Call): void {
    this.after(core.submitNow(this.state, call, this.time.now()))
  }

  /** The chain is woken by who parks the ticket. */
  cancel(call: Call, reason: unknown): Chain {
    const { worker } = call.request
    const chain = core.cancel(this.state, call, reason, this.time.now())
    // It may have had nothing else to do.
    if (worker?.calls.size === 0 && worker.phase !== "gone") this.ports.get(worker)?.hold(false)
    return this.act(chain)
  }

  expire(call: Call): void {
    this.after(core.expire(this.state, call, this.now(call.request.wakeAt)))
  }

  tick(): void {
    const at = this.alarm
    this.alarm = Infinity
    this.awake = false
    this.after(core.tick(this.state, this.now(at)))
  }

  /** The chain is woken by who parks the ticket. */
  warm(ticket: core.Warming): Chain {
    return this.act(core.warm(this.state, ticket, this.time.now()))
  }

  close(): void {
    this.holdAll()
    this.after(core.close(this.state, this.time.now()))
  }

  /** Ends everything at once. */
  terminate(): void {
    this.holdAll()
    this.after(core.terminate(this.state, this.time.now()))
  }

  /** Whoever closes waits until all have ended, and the process has to last so long. */
  private holdAll(): void {
    for (const held of this.ports.values()) held.hold(true)
  }

  /** The platform's timers are a little early at times: it is as late as they say. */
  private now(at: number): number {
    return Math.max(this.time.now(), at)
  }

  private after(chain: Chain): void {
    wake(this.act(chain))
  }

  /** Does what is to be done, and gives who is to be woken then. */
  private act(chain: Chain): Chain {
    const { state } = this
    if (this.acting) return chain
    this.acting = true
    try {
      // What is done may leave more to be done.
      for (let i = 0; i < state.actions.length; i++) {
        chain = concat(chain, this.perform(state.actions[i]!))
        if (i === state.actions.length - 1) chain = concat(chain, this.deliver())
      }
    } finally {
      state.actions.length = 0
      this.acting = false
    }
    this.setAlarm()
    if (this.untold.length > 0) for (const report of this.untold.splice(0)) this.tell(report)
    return chain
  }

  private setAlarm(): void {
    const { state } = this
    const at = core.wakeAt(state)
    const awake = core.isAwaited(state)
    if (state.stage === "closed") {
      this.alarm = Infinity
      this.time.clear(this.timer)
    } else if (at < this.alarm || (awake !== this.awake && this.alarm < Infinity)) {
      this.alarm = Math.min(at, this.alarm)
      this.awake = awake
      this.time.set(this.timer, this.alarm, !awake)
    }
  }

  private perform(action: Action): Chain {
    switch (action.do) {
      case "start":
        return this.start(action.worker)
      case "send":
        return this.send(action.worker, action.call, action.id)
      case "stop": {
        // What is to stop may be among what is to be sent.
        const chain = this.deliver()
        this.stop(action.worker, action.call)
        return chain
      }
      case "dismiss":
      case "kill": {
        const held = this.ports.get(action.worker)
        held?.hold(this.state.stage !== "open")
        held?.port[action.do]()
        return undefined
      }
      case "time":
        return this.setTime(action.call)
      case "report":
        this.untold.push(action.report)
        return undefined
    }
  }

  private start(worker: Worker): Chain {
    const { state } = this
    const { concurrency, maxMemory } = state.settings
    const port = this.startWorker(worker.id, {
      message: (message) => this.hear(worker, message as Message),
      exited: (cause) => {
        this.ports.delete(worker)
        this.after(core.exited(state, worker, cause, this.time.now()))
      }
    })
    this.ports.set(worker, new Held(worker, port))
    const hello: Hello = { ...this.hello, board: worker.board, memory: maxMemory < Infinity, concurrency }
    try {
      port.send([Do.hello, hello], undefined)
      return undefined
    } catch (error) {
      return core.misstarted(state, worker, error, this.time.now())
    }
  }

  private stop(worker: Worker, { request: job }: Call): void {
    // It may have ended in between, and the worker with it.
    if (job.worker !== worker) return
    const reason = reasonOf(job.stop!, job)
    const { port } = this.ports.get(worker)!
    try {
      port.send([Do.stop, job.id, wire.encode(reason, () => true)], undefined)
    } catch {
      // What can be sent, the platform knows. The job has to stop all the same: of what cannot be sent, it is told in words what it was.
      port.send([Do.stop, job.id, wire.encode(reason, () => false)], undefined)
    }
  }

  /** What goes to a worker in one step, goes with one message; but for objects, which the jobs would have in common then. */
  private send(worker: Worker, call: Call, id: number): Chain {
    // Had back before it was sent.
    if (worker.calls.get(id) !== call) return undefined
    const held = this.ports.get(worker)!
    held.hold(true)
    if (isPlain(call.request)) {
      if (held.unsent.push(id) === 1) this.unsent.push(held)
      return undefined
    }
    // A worker begins its jobs in the order in which they were handed to it.
    return concat(this.sendAll(held), this.sendOne(held, call))
  }

  private deliver(): Chain {
    const { unsent } = this
    let chain: Chain = undefined
    for (const held of unsent) chain = concat(chain, this.sendAll(held))
    unsent.length = 0
    return chain
  }

  private sendAll(held: Held): Chain {
    const unsent: Array<Call> = []
    for (const id of held.unsent) {
      // It may have been had back since.
      const call = held.worker.calls.get(id)
      if (call !== undefined) unsent.push(call)
    }
    held.unsent.length = 0
    if (unsent.length < 2) return unsent[0] && this.sendOne(held, unsent[0])
    held.port.send([Do.several, unsent.map(runOf)], undefined)
    return undefined
  }

  private sendOne(held: Held, call: Call): Chain {
    const { request: job } = call
    try {
      held.port.send(runOf(call), job.work.transfer)
      return undefined
    } catch (error) {
      return core.unsendable(this.state, call, unsendable(job, error), this.time.now())
    }
  }

  private hear(worker: Worker, message: Message): void {
    const { state } = this
    const now = this.time.now()
    switch (message[0]) {
      case Say.ready: {
        const chain = core.ready(state, worker, now)
        return this.rested(worker, chain)
      }
      case Say.failed:
        return this.after(core.misstarted(state, worker, wire.decode(message[1]), now))
      default: {
        const call = worker.calls.get(message[1])
        if (call === undefined) return
        const chain = core.answer(state, worker, call, endOf(call.request, message), message[3], now)
        return this.rested(worker, chain)
      }
    }
  }

  /** One with nothing to do does not keep the process alive. */
  private rested(worker: Worker, chain: Chain): void {
    if (worker.calls.size === 0 && worker.phase !== "gone") this.ports.get(worker)?.hold(false)
    this.after(chain)
  }

  private setTime(call: Call): undefined {
    const { request: job } = call
    if (job.wakeAt < Infinity) this.time.set((job.timer ??= new JobTimer(this, call)), job.wakeAt)
    else if (job.timer !== undefined) this.time.clear(job.timer)
  }
}

const runOf = ({ request: { id, slot, work } }: Call): Run => [Do.run, id, slot, work.target, work.context]

/** How a job has ended of which the worker says this. */
const endOf = ({ work: { errors } }: Job, answer: Answer): End => {
  if (answer[0] === Say.value) return { _tag: "Value", value: answer[2] }
  const error = wire.decode(answer[2], errors)
  const expected = answer[0] === Say.failure || errors.some((each) => error instanceof each)
  return { _tag: "Rejected", error, expected }
}

/** Why a job could not be sent. */
const unsendable = ({ work }: Job, error: unknown): unknown =>
  isOfCloning(error) ? wire.notCloneable(work.name, "arguments", [work.target[2], work.context], error) : error

/** For a thread it goes by that name; for a process it is an `Error` that says so. */
export const isOfCloning = (error: unknown): boolean => {
  const { code, message, name } = (error ?? {}) as Partial<Record<"code" | "message" | "name", unknown>>
  const isUnmovedPort = code === "ERR_MISSING_TRANSFERABLE_IN_TRANSFER_LIST"
  return isUnmovedPort || name === "DataCloneError" || /could not be cloned\.?$/.test(String(message))
}

const reasonOf = (stop: Stop, { work }: Job): unknown =>
  stop._tag === "Cancelled" ? stop.reason : new JobTimeout(work.name, work.timeout)

/** Whether there is no object in what is sent, and it can be cloned. */
const isPlain = ({ work: { context, target, transfer } }: Job): boolean =>
  transfer === undefined && isPrimitive(context) && target[2].every(isPrimitive)

const isPrimitive = (value: unknown): boolean =>
  value === null || (typeof value !== "object" && typeof value !== "function" && typeof value !== "symbol")

/** A worker of the platform, and whether it keeps the process alive. */
class Held {
  /** The numbers of the jobs that it is to be sent in this step. */
  readonly unsent: Array<number> = []
  private held = true

  constructor(
    readonly worker: Worker,
    readonly port: Port
  ) {}

  hold(held: boolean): void {
    if (held === this.held) return
    this.held = held
    this.port.hold(held)
  }
}

class PoolTimer extends Timer {
  constructor(private readonly pool: Pool) {
    super()
  }

  fire(): void {
    this.pool.tick()
  }
}

class JobTimer extends Timer {
  constructor(
    private readonly pool: Pool,
    private readonly call: Call
  ) {
    super()
  }

  fire(): void {
    this.pool.expire(this.call)
  }
}
