/**
 * What a worker runs: on a thread of Node, in a child process of it, or in a worker of the web. Imported by nobody.
 */
import type { FromWorker, Message, Order } from "../core/protocol.js"
import { ending, hearOrder, listening, message } from "../core/protocol.js"
import { canClone } from "../core/wire.js"
import { enter } from "./here.js"
import { builtin, checkSendable, now } from "./node.js"
import { ownPipe } from "./processes.js"
import { type Line, Runner } from "./runner.js"
import { watchParent } from "./watchdog.js"

/** What there is of Node's process, if this is Node. */
interface Node {
  send?(message: unknown): boolean
  on(event: string, f: (value: any) => void): void
  exit(): void
  readonly ppid: number
  readonly argv: Array<string>
  readonly channel?: { unref?(): void }
}

const node = (globalThis as { process?: Node }).process

/** How one of the platforms speaks and ends. */
interface Channel extends Pick<Line, "canClone" | "memory"> {
  send(frame: FromWorker, transfer: ReadonlyArray<unknown>): void
  listen(hear: (frame: unknown) => void): void
  /** Listens no more. When nothing else is to be done, the worker ends. */
  close(): void
  /** Ends it also when something is. */
  exit(): void
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
  // In Deno it cannot be closed; there the end comes by `exit`.
  close: () => port.close?.(),
  exit: () => node!.exit()
})

const child = (process: Node): Channel => {
  const parent = process.ppid
  const v8 = builtin("node:v8")!
  const pipe = ownPipe(process.argv)
  return {
    // What cannot be cloned throws here: it is serialized before it is written.
    send(frame) {
      if (pipe !== undefined) return pipe.send(frame)
      checkSendable(frame)
      process.send!(frame)
    },
    listen: (hear) => {
      if (pipe === undefined) process.on("message", hear)
      else pipe.listen(hear)
      // Whoever started it has gone.
      process.on("disconnect", () => process.exit())
      watchParent(parent)
    },
    canClone: (value) => {
      try {
        v8.serialize(value)
        return true
      } catch {
        return false
      }
    },
    memory: () => v8.getHeapStatistics().used_heap_size,
    close() {
      process.channel?.unref?.()
      pipe?.release()
    },
    exit: () => process.exit()
  }
}

const web = (self: any): Channel => ({
  send: (frame, transfer) => self.postMessage(frame, transfer),
  listen: (hear) => self.addEventListener("message", ({ data }: { data: unknown }) => hear(data)),
  canClone,
  memory: () => self.performance?.memory?.usedJSHeapSize ?? 0,
  close: () => {},
  exit: () => {
    // Nobody could see it otherwise.
    self.postMessage(ending, [])
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
  send: (said: Message, transfer) =>
    own === undefined ? channel.send(message(said), transfer) : own.postMessage(said, transfer),
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
const worker = { hear: (order: Order) => runner.hear(order), end: () => void end() }
channel.listen((frame) => hearOrder(frame, worker))
channel.send(listening, [])
