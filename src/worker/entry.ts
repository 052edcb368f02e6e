/**
 * What a worker runs: on a thread of Node, in a child process of it, or in a worker of the web. Imported by nobody.
 *
 * Messages are framed as `@effect/platform` frames them for its workers, so that this is the other end of any `PlatformWorker`: to here
 * `[0, message]`, or `[1]` when it may end; from here `[0]` once it listens, and `[1, message]`.
 */
import type { Message, Order } from "../core/protocol.js"
import { enter } from "./here.js"
import { builtin, now } from "./node.js"
import { type Line, Runner } from "./runner.js"

type Frame = readonly [0, Order] | readonly [1]

/** What there is of Node's process, if this is Node. */
interface Node {
  send?(message: unknown): boolean
  on(event: string, f: (value: any) => void): void
  exit(): void
  readonly channel?: { unref(): void }
}

const node = (globalThis as { process?: Node }).process

/** How one of the platforms speaks and ends. */
interface Channel extends Pick<Line, "canClone" | "memory"> {
  send(frame: readonly [0] | readonly [1, Message], transfer: ReadonlyArray<unknown>): void
  listen(hear: (frame: Frame) => void): void
  /** Listens no more. When nothing else is to be done, the worker ends. */
  close(): void
  /** Ends it also when something is. */
  exit(): void
}

const canClone = (value: unknown): boolean => {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}

const thread = (port: any): Channel => ({
  send: (frame, transfer) => port.postMessage(frame, transfer),
  listen: (hear) => {
    port.on("message", hear)
    // An order that cannot be read would never be answered; so the worker ends, and the pool is told why.
    port.on("messageerror", (error: unknown) => {
      throw error
    })
  },
  canClone,
  memory: () => builtin("node:v8")!.getHeapStatistics().used_heap_size,
  close: () => port.close(),
  exit: () => node!.exit()
})

const child = (process: Node): Channel => {
  // Whoever started it has gone.
  process.on("disconnect", () => process.exit())
  const v8 = builtin("node:v8")!
  return {
    // What cannot be cloned throws here: it is serialized before it is written.
    send: (frame) => void process.send!(frame),
    listen: (hear) => process.on("message", hear),
    canClone: (value) => {
      try {
        v8.serialize(value)
        return true
      } catch {
        return false
      }
    },
    memory: () => v8.getHeapStatistics().used_heap_size,
    close: () => process.channel?.unref(),
    exit: () => process.exit()
  }
}

const web = (self: any): Channel => ({
  send: (frame, transfer) => self.postMessage(frame, transfer),
  listen: (hear) => self.addEventListener("message", ({ data }: { data: Frame }) => hear(data)),
  canClone,
  memory: () => self.performance?.memory?.usedJSHeapSize ?? 0,
  close: () => {},
  exit: () => {
    // Nobody could see it otherwise.
    self.postMessage([2], [])
    self.close()
  }
})

const channelHere = (): Channel => {
  const port = builtin("node:worker_threads")?.parentPort
  if (port) return thread(port)
  return node?.send === undefined ? web(globalThis) : child(node)
}

/** How long something that is still going on may hold up the end of a worker that has nothing to do. */
const patience = 50

const end = async (): Promise<void> => {
  await Promise.allSettled(enter().closers.map(async (close) => close()))
  own?.close()
  channel.close()
  const timer: unknown = setTimeout(channel.exit, patience)
  ;(timer as { unref?: () => void }).unref?.()
}

/** A port that the pool has sent, if it has. */
let own: any

const channel = channelHere()
const runner = new Runner({
  send: (message, transfer) =>
    own === undefined ? channel.send([1, message], transfer) : own.postMessage(message, transfer),
  canClone: channel.canClone,
  memory: channel.memory,
  now,
  connect(port) {
    own = port
    own.addEventListener("message", ({ data }: { data: Order }) => runner.hear(data))
    own.start()
  },
  end: () => void end()
})
channel.listen((frame) => (frame[0] === 0 ? runner.hear(frame[1]) : void end()))
channel.send([0], [])
