/**
 * The calling side of a bridge: a thread that blocks, and the worker that meanwhile does what it waits for.
 *
 * It is two threads: one that runs the functions, and one that starts it and watches it. The first may end in a way that tells
 * nobody, having no memory left, say, and Node would say so to a thread that is not blocked, which the caller's is. So the watcher hears of
 * it, and writes it down where who is blocked looks.
 *
 * Calls and answers do not go through the watcher. They are messages on a channel; that there is news is a number in shared memory. Each
 * worker has its own of both. What the functions print is on the channel, too. As Node does it, it would wait in the worker until the
 * caller's thread is free, and who waits for it to be out would wait for ever; and it would be lost if the program ended then.
 *
 * Why not synckit, which does the same with a loader for TypeScript around it: there the worker goes on after a time-out, a worker that
 * dies is waited for without end, and errors arrive as what cloning leaves of them.
 *
 * @internal
 */
import { misuse } from "../core/arguments.js"
import * as core from "../core/syncBridge.js"
import type { Wire } from "../core/wire.js"
import { decode, NotCloneable, notCloneable } from "../core/wire.js"
import * as location from "./location.js"
import {
  builtin,
  now,
  type Output,
  type Port,
  print,
  type ResourceLimits,
  startThread,
  type Thread,
  type WorkerThreads
} from "./node.js"

/** What the runner is told. */
export type Request = readonly [id: number, name: string, args: ReadonlyArray<unknown>]

/** What it says. 0 is no call: it listens, or could not load the module. */
export type Answer =
  readonly [id: number, tag: "value", value: unknown] | readonly [id: number, tag: "error" | "failure", error: Wire]

/** Something to be printed. */
export type Print = readonly [to: Output, chunk: string | Uint8Array]

/** How the runner ended. */
export interface Note {
  readonly code: number
  readonly error: Wire | undefined
}

/** What the watcher is given. */
export interface Setup {
  readonly href: string
  /** The modules of the bridges within which this one is, from the outside in. */
  readonly callers: ReadonlyArray<string>
  readonly cells: Int32Array
  readonly calls: Port
  readonly notes: Port
  readonly name: string
  readonly resourceLimits: ResourceLimits | undefined
}

/** The shared memory: how many news there were, and whether the runner has ended. */
export const Cell = { news: 0, ended: 1 } as const

/** There is news. */
export const announce = (cells: Int32Array): void => {
  Atomics.add(cells, Cell.news, 1)
  Atomics.notify(cells, Cell.news)
}

const key = Symbol.for("effect-concurrency/SyncBridge/callers")

type Global = { [key]?: ReadonlyArray<string> }

/** The modules for which this thread is the worker of a bridge: its own, and those of the bridges around it. */
export const callers = (): ReadonlyArray<string> => (globalThis as Global)[key] ?? []

export const enter = (modules: ReadonlyArray<string>): void => void ((globalThis as Global)[key] = modules)

/** The worker has ended. */
class Death {
  constructor(readonly cause: unknown) {}
}

/** A worker as its bridge sees it. */
class Worker {
  private readonly cells = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  private readonly calls: Port
  private readonly notes: Port
  private readonly watcher: Thread
  /** That it listens, and answers to calls that wait while this thread is in another: what is printed may call as well. */
  private readonly kept = new Map<number, Answer>()
  private isGivenUp = false

  constructor(
    private readonly threads: WorkerThreads,
    /** Its number. */
    readonly id: number,
    href: string,
    resourceLimits: core.State["resourceLimits"]
  ) {
    const calls = new threads.MessageChannel()
    const notes = new threads.MessageChannel()
    this.calls = calls.port1
    this.notes = notes.port1
    const setup: Setup = {
      href,
      callers: callers(),
      cells: this.cells,
      calls: calls.port2,
      notes: notes.port2,
      name: `SyncBridge ${href.slice(-40)}`,
      resourceLimits
    }
    this.watcher = startThread(threads, location.bridge(), {
      workerData: setup,
      transferList: [calls.port2, notes.port2],
      name: setup.name
    })
  }

  /** Listens to what comes while nobody waits for it. */
  watch(said: (answer: Answer) => void, ended: (death: Death) => void, failed: (error: unknown) => void): void {
    this.calls.on("message", (message: Answer | Print) => {
      const answer = heard(message)
      if (answer) said(answer)
    })
    this.watcher.on("error", failed)
    this.watcher.on("message", (note: Note) => ended(new Death(reasonOf(note))))
    // After that: who listens keeps the process alive.
    this.calls.unref()
    this.watcher.unref()
  }

  send(request: Request): void {
    this.calls.postMessage(request, [])
  }

  /** Blocks until the worker answers a call; 0: until it listens. Undefined: it did not in time. */
  next(call: number, until: number): Answer | Death | undefined {
    // By the wait itself and not by the clock alone, which a test may have stopped.
    for (let isLate = false; ;) {
      // What comes from here on is news, also while what is there is read; and what it said before it ended is there.
      const news = Atomics.load(this.cells, Cell.news)
      const { hasEnded } = this
      const answer =
        this.receive(call, until) ?? this.keptFor(call) ?? (hasEnded || this.isGivenUp ? this.death : undefined)
      // One that prints all the time always has news.
      if (answer || isLate || now() >= until) return answer
      isLate = Atomics.wait(this.cells, Cell.news, news, until - now()) === "timed-out"
    }
  }

  private keptFor(call: number): Answer | undefined {
    const answer = this.kept.get(call)
    if (call !== 0) this.kept.delete(call)
    return answer
  }

  private get hasEnded(): boolean {
    return Atomics.load(this.cells, Cell.ended) !== 0
  }

  get death(): Death | undefined {
    if (this.isGivenUp) return new Death(new Error("it was given up: another call took too long, or closed the bridge"))
    if (!this.hasEnded) return undefined
    return new Death(reasonOf(this.threads.receiveMessageOnPort(this.notes)?.message))
  }

  /** The answer to a call, if it is there. What is to be printed before it is, until some time: there may be no end to it. */
  private receive(call: number | undefined, until: number): Answer | undefined {
    do {
      const next = this.threads.receiveMessageOnPort(this.calls)
      if (next === undefined) return undefined
      const answer = heard(next.message)
      if (answer === undefined) continue
      // That it listens, whoever is around this call wants to know, too.
      if (answer[0] !== call || call === 0) this.kept.set(answer[0], answer)
      if (answer[0] === call) return answer
    } while (now() < until)
    return undefined
  }

  /** Ends both threads, also in the middle of a computation. What was printed until now is out, unless it is without end. */
  async end(): Promise<void> {
    this.isGivenUp = true
    try {
      this.receive(undefined, now() + 50)
    } finally {
      this.calls.close()
      this.notes.close()
      await this.watcher.terminate()
    }
  }
}

/** Prints what is to be printed. The rest is an answer. */
const heard = (message: Answer | Print): Answer | undefined => {
  if (typeof message[0] === "number") return message as Answer
  print(...(message as Print))
  return undefined
}

const reasonOf = (note: Note | undefined): unknown =>
  note?.error ? decode(note.error) : new Error(`it exited with code ${note?.code}`)

/** How long closing waits for a thread that cannot be ended, being in native code, in milliseconds. */
const patience = 5_000

/** A bridge, for either skin. */
export class Bridge {
  private worker: Worker | undefined
  /** What is left of those before. */
  private readonly ending = new Set<Promise<void>>()

  constructor(
    readonly state: core.State,
    /** Hears of what nobody waits for. */
    private readonly report: (message: string, error: unknown) => void
  ) {}

  /** Starts the worker, if there is none, and does not wait for it. */
  start(where: string): void {
    if (this.state.phase !== "closed") this.open(where)
  }

  /** Calls a function in the worker, and blocks until it has ended. Throws when that makes no sense here. */
  call(where: string, name: string, args: ReadonlyArray<unknown>, timeout: number | undefined): core.Ended {
    const { state } = this
    const call = core.begin(state, where, name, args, timeout)
    for (let sent = args; ;) {
      const refused = core.refuse(state, call)
      if (refused) return failed(refused)
      const worker = this.open(where)
      if (state.phase === "starting") {
        const unable = this.load(call, worker)
        if (unable) return unable
      }
      try {
        worker.send([call.id, name, sent])
        // A getter among the arguments has called the bridge as well, and that has cost it the worker; or closed it. A copy has none.
        if (this.worker !== worker) sent = structuredClone(args)
      } catch (cause) {
        return failed(notCloneable(name, "arguments", args, cause))
      }
      if (this.worker === worker) return this.wait(worker, call)
    }
  }

  private wait(worker: Worker, call: core.Call): core.Ended {
    const until = now() + call.timeout
    for (;;) {
      const answer = this.next(worker, call, call.id, until)
      if (answer === undefined || answer instanceof Death) return this.without(worker, call, answer)
      if (core.accept(this.state, worker.id, call, answer[0])) return this.ended(answer)
    }
  }

  /** Waits until the worker listens. What prevents that is the end of the call. */
  private load(call: core.Call, worker: Worker): core.Ended | undefined {
    const answer = this.next(worker, call, 0, now() + this.state.startTimeout)
    if (answer === undefined || answer instanceof Death) return this.without(worker, call, answer)
    const ended = this.ended(answer)
    this.loaded(worker, ended)
    return ended._tag === "value" ? undefined : ended
  }

  private next(worker: Worker, call: core.Call, id: number, until: number): Answer | Death | undefined {
    try {
      return worker.next(id, until)
    } catch (error) {
      // The answer cannot be read, or what prints has failed. What was called may still run; the next call is not to run beside it.
      this.without(worker, call, new Death(error))
      throw error
    }
  }

  /** The worker listens, or could not load the module. */
  private loaded(worker: Worker, ended: core.Ended): void {
    if (ended._tag === "value") return core.ready(this.state, worker.id)
    core.broken(this.state, worker.id)
    this.drop(worker)
  }

  /** There is no answer: the worker has died, or took too long. */
  private without(worker: Worker, call: core.Call, death: Death | undefined): core.Ended {
    const { state } = this
    const error = death ? core.died(state, worker.id, call, death.cause) : core.expire(state, call)
    this.drop(worker)
    return failed(error)
  }

  private ended([, tag, what]: Answer): core.Ended {
    if (tag === "value") return { _tag: tag, value: what }
    return { _tag: tag, error: decode(what, [NotCloneable, ...this.state.source.errors]) }
  }

  /** The worker that there is, or a new one. */
  private open(where: string): Worker {
    const { state } = this
    const death = this.worker?.death
    if (death) this.diedIdle(this.worker!, death)
    if (this.worker) return this.worker
    const { href } = state.source
    // What may throw comes first.
    const worker = new Worker(threadsFor(where, href), state.worker + 1, href, state.resourceLimits)
    core.start(state)
    this.worker = worker
    const said = (answer: Answer) => {
      // Only that it has started: an answer is waited for.
      if (this.worker !== worker || state.phase !== "starting") return
      const ended = this.ended(answer)
      this.loaded(worker, ended)
      if (ended._tag !== "value") this.report(core.diedIdle, ended.error)
    }
    const failed = (error: unknown) => this.report(core.diedIdle, error)
    worker.watch(said, (death) => this.diedIdle(worker, death), failed)
    return worker
  }

  /** The worker has ended while nobody waited for it. */
  private diedIdle(worker: Worker, { cause }: Death): void {
    if (this.worker !== worker) return
    core.died(this.state, worker.id, undefined, cause)
    this.drop(worker)
    this.report(core.diedIdle, cause)
  }

  private drop(worker: Worker): void {
    if (this.worker !== worker) return
    this.worker = undefined
    const ending = worker.end().catch((error: unknown) => this.report(core.unended, error))
    this.ending.add(ending)
    void ending.then(() => this.ending.delete(ending))
  }

  /** Ends the worker. The promise settles when no thread is left, but for one that cannot be ended: that is reported. */
  async close(): Promise<void> {
    core.close(this.state)
    if (this.worker) this.drop(this.worker)
    await new Promise<void>((resolve) => {
      const giveUp = () => {
        this.report(core.unended, new Error("it is in native code, perhaps, and ends with that"))
        resolve()
      }
      const timer = setTimeout(giveUp, patience)
      void Promise.all(this.ending).then(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

const failed = (error: unknown): core.Ended => ({ _tag: "failure", error })

/** The platform's threads, if this one may start another and wait for it. */
const threadsFor = (where: string, href: string): WorkerThreads => {
  if (callers().includes(href)) {
    throw misuse(
      where,
      `this is the worker of a bridge to ${href}, or within it, and would wait for itself: call the function`
    )
  }
  try {
    // Where blocking is allowed this returns at once, for the value is another.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1, 0)
  } catch {
    throw misuse(where, "this thread may not be blocked, like the main thread of a browser: await the function instead")
  }
  const threads = builtin("node:worker_threads")
  if (threads === undefined)
    throw misuse(where, "there are no threads of Node's kind here: it takes Node 20.16 or later")
  const file = location.bridge()
  if (file.protocol === "file:" && builtin("node:fs")?.existsSync(file) === false) {
    throw misuse(
      where,
      `${file.href} is not there: where programs are bundled, leave effect-concurrency out of the bundle`
    )
  }
  return threads
}
