/**
 * The workers of the platform, as a pool wants them: threads of Node, child processes of it, workers of the web; or whatever somebody else
 * starts that is one of these.
 *
 * @internal
 */
import type { Listener, Port, Start } from "../core/pool.js"
import type { Message, Order } from "../core/protocol.js"
import { dismissal, hearMessage, order } from "../core/protocol.js"
import { entry } from "../worker/location.js"
import { builtin, checkSendable, type Child, type ResourceLimits, startThread, type Thread } from "../worker/node.js"
import { startProcess } from "../worker/processes.js"

/** What starts a worker that somebody has bundled. */
export type Spawn = (worker: { readonly id: number; readonly name: string }) => unknown

export interface Settings {
  readonly kind: "threads" | "processes"
  readonly name: string
  readonly spawn: Spawn | undefined
  readonly resourceLimits: ResourceLimits | undefined
  readonly env: Record<string, string | undefined> | undefined
  readonly execArgv: ReadonlyArray<string> | undefined
}

/** What is used of a worker of the web. */
interface WebWorker {
  postMessage(message: unknown, transfer: ReadonlyArray<unknown>): void
  addEventListener(event: string, listener: (event: any) => void): void
  terminate(): void
}

type Started =
  | { readonly _tag: "thread"; readonly worker: Thread }
  | { readonly _tag: "process"; readonly worker: Child }
  | { readonly _tag: "web"; readonly worker: WebWorker }

/** Whether memory can be shared with the workers. On the web that depends on how the page was served. */
export const isShared = ({ kind }: Pick<Settings, "kind">): boolean =>
  kind === "threads" &&
  typeof SharedArrayBuffer !== "undefined" &&
  (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated !== false

/** How workers are started. */
export const starter =
  (settings: Settings): Start =>
  (id, listener) => {
    try {
      const started = spawn(settings, id)
      if (started._tag === "thread") return new ThreadPort(started.worker, listener)
      return started._tag === "process"
        ? new ChildPort(started.worker, listener)
        : new WebPort(started.worker, listener)
    } catch (error) {
      return new NoPort(error, listener)
    }
  }

const spawn = (settings: Settings, id: number): Started => {
  const { env, execArgv, kind, resourceLimits } = settings
  const name = `${settings.name} ${id}`
  if (settings.spawn !== undefined) return fitting(kind, recognize(settings.spawn({ id, name })))
  const options = { ...(env && { env }), ...(execArgv && { execArgv }) }
  if (kind === "processes") {
    const processes = builtin("node:child_process")
    if (processes === undefined) throw new Error("there are no child processes on this platform")
    return { _tag: "process", worker: startProcess(processes, entry(), options) }
  }
  const threads = builtin("node:worker_threads")
  if (threads !== undefined) {
    const limits = resourceLimits && { resourceLimits }
    return { _tag: "thread", worker: startThread(threads, entry(), { name, ...options, ...limits }) }
  }
  const { Worker } = globalThis as unknown as { Worker?: new (url: URL, options: object) => WebWorker }
  if (Worker === undefined) throw new Error("there are no workers on this platform")
  return { _tag: "web", worker: new Worker(entry(), { type: "module", name }) }
}

/** A process shares no memory, and a pool of threads reckons with that. */
const fitting = (kind: Settings["kind"], started: Started): Started => {
  if (kind === "threads" && started._tag === "process") {
    throw new TypeError('spawn returned a child process: say so with kind: "processes"')
  }
  return started
}

/** What somebody has started. Each of the three has a method that the others do not have. */
const recognize = (worker: any): Started => {
  if (typeof worker?.send === "function" && typeof worker.on === "function") return { _tag: "process", worker }
  if (typeof worker?.postMessage === "function") {
    return typeof worker.on === "function" ? { _tag: "thread", worker } : { _tag: "web", worker }
  }
  throw new TypeError(`spawn must return a worker or a child process, got ${String(worker)}`)
}

/** What all of them have: they tell of their end once, and of messages until then. */
abstract class BasePort {
  private over = false
  /** Why it ended, if it has said so before it did. */
  protected cause: unknown = undefined

  constructor(private readonly listener: Listener) {}

  protected readonly hear = (frame: unknown): void => hearMessage(frame, this)

  message(message: Message): void {
    if (!this.over) this.listener.message(message)
  }

  /** It says that it ends. One of Node's is seen to, and need not. */
  ended(): void {}

  protected readonly failed = (error: unknown): void => {
    this.cause ??= error
  }

  protected exited(how: string): void {
    if (this.over) return
    this.over = true
    this.listener.exited(this.cause ?? new Error(`the worker ${how}`))
  }
}

class ThreadPort extends BasePort implements Port {
  constructor(
    private readonly worker: Thread,
    listener: Listener
  ) {
    super(listener)
    worker.on("message", this.hear)
    worker.on("error", this.failed)
    worker.on("messageerror", (error) => {
      // What it said cannot be read, and whoever waits for that would wait for ever.
      this.failed(error)
      this.kill()
    })
    worker.on("exit", (code) => this.exited(`exited with code ${code}`))
  }

  send(message: Order, transfer: ReadonlyArray<unknown> | undefined): void {
    this.worker.postMessage(order(message), transfer)
  }

  dismiss(): void {
    this.worker.postMessage(dismissal, [])
  }

  kill(): void {
    void this.worker.terminate()
  }

  hold(held: boolean): void {
    if (held) this.worker.ref()
    else this.worker.unref()
  }
}

class ChildPort extends BasePort implements Port {
  private how = "ended"

  constructor(
    private readonly worker: Child,
    listener: Listener
  ) {
    super(listener)
    worker.on("message", this.hear)
    worker.on("error", (error) => {
      this.failed(error)
      // One that was never started does not exit.
      if (worker.pid === undefined) this.exited("was not started")
    })
    worker.on("exit", (code, signal) => {
      this.how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`
    })
    // After the last of what it said has been read, which may be later than its exit.
    worker.on("close", () => this.exited(this.how))
  }

  send(message: Order): void {
    this.tell(order(message))
  }

  dismiss(): void {
    this.tell(dismissal)
  }

  kill(): void {
    this.worker.kill("SIGKILL")
  }

  hold(held: boolean): void {
    const { channel } = this.worker
    if (held) {
      this.worker.ref()
      channel?.ref?.()
    } else {
      this.worker.unref()
      channel?.unref?.()
    }
  }

  private tell(frame: unknown): void {
    // One that has gone says so itself, and what it was told last is lost with it.
    if (!this.worker.connected) return
    checkSendable(frame)
    this.worker.send(frame, ignore)
  }
}

class WebPort extends BasePort implements Port {
  constructor(
    private readonly worker: WebWorker,
    listener: Listener
  ) {
    super(listener)
    worker.addEventListener("message", ({ data }: { readonly data: unknown }) => this.hear(data))
    // An uncaught error does not end a worker of the web. But nobody knows what it has left undone.
    worker.addEventListener("error", (event: { readonly error?: unknown; readonly message?: string }) => {
      this.failed(event.error ?? new Error(event.message || "the worker could not be started"))
      this.kill()
    })
    worker.addEventListener("messageerror", () => {
      this.failed(new Error("the worker has said something that cannot be read"))
      this.kill()
    })
  }

  override ended(): void {
    this.exited("has ended")
  }

  send(message: Order, transfer: ReadonlyArray<unknown> = []): void {
    this.worker.postMessage(order(message), transfer)
  }

  dismiss(): void {
    this.worker.postMessage(dismissal, [])
  }

  kill(): void {
    this.worker.terminate()
    // It does not say so; and nothing may be told before this has returned.
    void Promise.resolve().then(() => this.exited("was ended"))
  }

  hold(): void {}
}

/** A worker that could not be started. */
class NoPort extends BasePort implements Port {
  constructor(why: unknown, listener: Listener) {
    super(listener)
    this.failed(why)
    void Promise.resolve().then(() => this.exited("was not started"))
  }

  send(): void {}
  dismiss(): void {}
  kill(): void {}
  hold(): void {}
}

const ignore = (): void => {}
