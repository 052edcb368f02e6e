/**
 * What a worker does: it loads modules, calls their functions, and says how that ended.
 *
 * State: the jobs that run; those that were sent ahead and have not begun; the functions that it knows.
 *
 * A function that returns a value rather than a promise is answered in the same step, and the next one begins then, so that a worker with a row
 * of small jobs does nothing else between them.
 *
 * @internal
 */
import * as board from "../core/board.js"
import type { Hello, Message, Order, Run, Target } from "../core/protocol.js"
import { Do, Say } from "../core/protocol.js"
import * as wire from "../core/wire.js"
import * as effects from "./effects.js"
import { enter, isTransfer } from "./here.js"
import { Job } from "./job.js"
import { type Callable, Library } from "./library.js"

/** The way to the pool. */
export interface Line {
  /** Throws when the message cannot be cloned. */
  send(message: Message, transfer: ReadonlyArray<unknown>): void
  /** Whether it can be. */
  canClone(value: unknown): boolean
  /** How much memory the worker uses, in bytes. */
  memory(): number
  now(): number
  /** Goes on through a port. */
  connect(port: unknown): void
  /** Ends the worker, when it has cleaned up. */
  end(): void
}

/** Measuring takes longer than a small job. */
const measureEvery = 100

export class Runner {
  private readonly here = enter()
  private readonly library = new Library()
  private readonly running = new Map<number, Job>()
  private waiting: Array<Run> = []
  private hello: Hello | undefined = undefined
  private beginning = false
  private measureAt = 0

  constructor(private readonly line: Line) {}

  hear(order: Order): void {
    switch (order[0]) {
      case Do.hello:
        return this.greet(order[1])
      case Do.run:
        this.waiting.push(order)
        return this.next()
      case Do.several:
        this.waiting.push(...order[1])
        return this.next()
      case Do.stop:
        this.running.get(order[1])?.abort(wire.decode(order[2]))
        return
      case Do.connect:
        return this.line.connect(order[1])
      case Do.end:
        return this.line.end()
    }
  }

  private greet(hello: Hello): void {
    this.hello = hello
    this.here.data = hello.data
    const ready = () => this.line.send([Say.ready], [])
    if (hello.init === undefined) return ready()
    const failed = (error: unknown) => this.line.send([Say.failed, this.encode(error)], [])
    this.call(new Job(0, -1, undefined, undefined), hello.init).then(ready, failed)
  }

  /** Begins what may begin. A job that ends in the step in which it began does not come back here: the loop goes on. */
  private next(): void {
    if (this.beginning) return
    this.beginning = true
    const { waiting } = this
    let taken = 0
    while (taken < waiting.length && this.running.size < this.hello!.concurrency) this.begin(waiting[taken++]!)
    if (taken === waiting.length) waiting.length = 0
    else this.waiting = waiting.slice(taken)
    this.beginning = false
  }

  private begin([, id, slot, target, context]: Run): void {
    const shared = this.hello!.board
    // The pool may have had it back.
    if (shared !== undefined && !board.begin(shared, slot, id)) return
    const job = new Job(id, slot, context, shared)
    this.running.set(id, job)
    const known = this.library.known(target)
    if (known === undefined) return this.later(job, target, this.call(job, target))
    let result: unknown
    try {
      result = this.turn(job, known, target)
    } catch (error) {
      return this.end(job, [Say.error, job.id, this.encode(error), this.memory()])
    }
    if (isThenable(result) || effects.isEffect(result)) this.later(job, target, this.settle(job, result))
    else this.succeed(job, target, result)
  }

  /** Calls a function, of which nothing is known yet. */
  private async call(job: Job, target: Target): Promise<unknown> {
    const f = await this.library.load(target)
    // Told to stop meanwhile, it does not begin.
    if (job.isAborted) throw job.signal.reason
    return this.settle(job, this.turn(job, f, target))
  }

  /** The job has the turn until the function returns; one that is alone keeps it until it has ended. */
  private turn(job: Job, f: Callable, [, , args]: Target): unknown {
    this.here.current = job
    try {
      return f(...args)
    } finally {
      if (this.hello!.concurrency > 1) this.here.current = undefined
    }
  }

  private async settle(job: Job, result: unknown): Promise<unknown> {
    return effects.isEffect(result) ? effects.run(result, job.signal) : result
  }

  private later(job: Job, target: Target, result: Promise<unknown>): void {
    result.then(
      (value) => {
        this.succeed(job, target, value)
        this.next()
      },
      (error: unknown) => {
        const expected = error instanceof effects.Failure
        const sent = this.encode(expected ? error.error : error)
        this.end(job, [expected ? Say.failure : Say.error, job.id, sent, this.memory()])
        this.next()
      }
    )
  }

  private succeed(job: Job, target: Target, result: unknown): void {
    const [value, transfer] = isTransfer(result) ? [result.value, result.list] : [result, []]
    try {
      this.line.send([Say.value, job.id, value, this.memory()], transfer)
      this.over(job)
    } catch (cause) {
      const error = wire.notCloneable(this.library.nameOf(target), "result", value, cause)
      this.end(job, [Say.error, job.id, this.encode(error), this.memory()])
    }
  }

  private end(job: Job, message: Message): void {
    this.over(job)
    this.line.send(message, [])
  }

  private over(job: Job): void {
    this.running.delete(job.id)
    if (this.here.current === job) this.here.current = undefined
  }

  private encode(error: unknown): wire.Wire {
    return wire.encode(error, (value) => this.line.canClone(value))
  }

  private memory(): number | undefined {
    if (!this.hello!.memory) return undefined
    const now = this.line.now()
    if (now < this.measureAt) return undefined
    this.measureAt = now + measureEvery
    return this.line.memory()
  }
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
