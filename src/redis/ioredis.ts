/**
 * The driver over the package `ioredis`: the only file that knows it. It is an optional peer: whoever hands in a client of his own has it
 * loaded already, and otherwise it is loaded when a connection is opened.
 *
 * What it is told: to send nothing twice, to keep nothing for later, to connect again for ever, and to be silent.
 *
 * @internal
 */
import { expect } from "../core/arguments.js"
import type { Argument } from "../core/redis/script.js"
import { defaultTimeout, type Driver, type Link, type LinkEvents } from "./connection.js"

/**
 * A client of `ioredis`, as far as it is used: only its options are, for connections of our own.
 *
 * @since 0.1.0
 */
export interface IoRedis {
  duplicate(override?: any): unknown
}

/** The socket, or what stands for it. */
interface Stream {
  readonly destroyed: boolean
  destroy(): void
  cork(): void
  uncork(): void
}

/** A client that we made. */
interface Client {
  readonly status: string
  readonly stream?: Stream | undefined
  call(command: string, ...args: ReadonlyArray<Argument>): Promise<unknown>
  connect(): Promise<void>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...args: ReadonlyArray<any>) => void): unknown
}

type Make = (options: object) => Client

/** How often it is tried to connect: soon after a loss, and then twice a second. */
const slowest = 500
const retryStrategy = (attempt: number): number => Math.min(20 * 2 ** Math.min(attempt, 10), slowest)

const isReply = (error: unknown): boolean => error instanceof Error && error.name === "ReplyError"

const ours = (connectTimeout: number) => ({
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  reconnectOnError: null,
  enableAutoPipelining: false,
  enableReadyCheck: true,
  retryStrategy,
  connectTimeout,
  // A timer of its own would outlive its connection, and end the next one.
  socketTimeout: undefined,
  commandTimeout: undefined,
  lazyConnect: false,
  stringNumbers: false,
  monitor: false,
  readOnly: false,
  scaleReads: undefined,
  keyPrefix: "",
  protocol: 2
})

/** How many commands leave in one write. */
const mostGathered = 8

/** What was not sent by then when a connection is closed will not be. */
const linger = 250

class IoRedisLink implements Link {
  private client: Client | undefined = undefined
  private isClosed = false
  private timer: ReturnType<typeof setTimeout> | undefined = undefined
  /** What holds back what is written to it until this tick is over, and how much it was sent since. */
  private gathering: Stream | undefined = undefined
  private gathered = 0

  /** Who wants quick answers may still be far away, or have much to agree upon at first. */
  private readonly patience: number

  constructor(
    private readonly events: LinkEvents,
    timeout: number
  ) {
    this.patience = Math.max(timeout, defaultTimeout)
  }

  start(make: Make): void {
    if (this.isClosed) return
    const client = (this.client = make(ours(this.patience)))
    const { events } = this
    let why: unknown = undefined
    // Without a listener it writes to the console.
    client.on("error", (error) => void (why = error))
    client.on("connect", () => {
      why = undefined
      // The server accepts connections also while it does nothing else: whether it is there is known when it has answered.
      this.set(() => client.stream?.destroy(), this.patience)
    })
    client.on("ready", () => {
      // The server has refused the database, say: what was kept in another would be lost, or somebody else's.
      if (isReply(why)) {
        events.lost(why)
        return this.set(() => client.stream?.destroy(), slowest)
      }
      this.set(undefined)
      events.ready()
    })
    client.on("close", () => {
      this.set(undefined)
      events.lost(why)
    })
    // It gives up when it cannot even begin, as with sentinels of which none answers.
    client.on("end", () => {
      events.lost(why)
      if (!this.isClosed) this.set(() => void client.connect().catch(() => {}), slowest)
    })
    client.on("message", (channel, message) => events.message(channel, message))
  }

  private set(ring: (() => void) | undefined, milliseconds?: number): void {
    clearTimeout(this.timer)
    this.timer = ring && setTimeout(ring, milliseconds)
  }

  call(command: string, args: ReadonlyArray<Argument>): Promise<unknown> {
    // It knows some commands only by their small names; of others it would change the answers then.
    const name = /^(un)?subscribe$/i.test(command) ? command.toLowerCase() : command
    this.gather()
    return this.client!.call(name, ...args)
  }

  /**
   * What is sent in one tick leaves in one write: that each leaves in its own is most of what a command costs. What is much leaves in several, so
   * that the server begins while the rest is made.
   */
  private gather(): void {
    const stream = this.client?.stream
    if (stream === undefined) return
    if (stream === this.gathering) {
      if (++this.gathered % mostGathered === 0) {
        stream.uncork()
        stream.cork()
      }
      return
    }
    this.gathered = 0
    this.gathering = stream
    stream.cork()
    process.nextTick(() => {
      this.gathering = undefined
      stream.uncork()
    })
  }

  reset(): void {
    this.client?.stream?.destroy()
  }

  close(): void {
    this.isClosed = true
    this.set(undefined)
    const { client } = this
    if (client === undefined) return
    client.disconnect()
    const { stream } = client
    if (stream === undefined || stream.destroyed) return
    // A server that does not react would never end its side, and the process would go on for that.
    this.set(() => stream.destroy(), linger)
    ;(this.timer as { unref?: () => void } | undefined)?.unref?.()
  }
}

const missing =
  "Redis: the package ioredis (version 5) cannot be loaded. Install it (npm install ioredis@5), or give a client or a driver."

/** Makes clients of a class that is loaded when the first is needed. */
const loaded = (
  url: string | undefined,
  options: object | undefined
): ((link: IoRedisLink, events: LinkEvents) => void) => {
  return (link, events) => {
    const made = (module: any) => {
      const Class = module.Redis ?? module.default?.Redis ?? module.default
      try {
        // What comes first wins.
        link.start((ours) => new Class({ ...options, ...ours }, url))
      } catch (error) {
        events.failed(error)
      }
    }
    import("ioredis").then(made, (cause: unknown) => events.failed(new Error(missing, { cause })))
  }
}

/** Makes clients like one that there is, which is left alone. */
const duplicated = (client: IoRedis): ((link: IoRedisLink, events: LinkEvents) => void) => {
  const where = "Redis"
  expect(typeof client?.duplicate === "function", where, "client", "a client of ioredis", client)
  const { isCluster } = client as { isCluster?: boolean }
  expect(isCluster !== true, where, "client", "a client of one server (a cluster is not supported)", client)
  return (link) => link.start((ours) => client.duplicate(ours) as Client)
}

/** How ioredis is told where the server is. */
export interface IoRedisOptions {
  readonly url?: string | undefined
  readonly ioredis?: object | undefined
  readonly client?: IoRedis | undefined
}

export const ioredis = ({ client, ioredis, url }: IoRedisOptions, timeout: number): Driver => {
  const start = client === undefined ? loaded(url, ioredis) : duplicated(client)
  return {
    open(events) {
      const link = new IoRedisLink(events, timeout)
      start(link, events)
      return link
    },
    isReply
  }
}
