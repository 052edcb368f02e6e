/**
 * A connection to a Redis server, as the stores of both skins use it: what is asked is answered, or fails, in time.
 *
 * It is made over a driver, which knows the protocol and how to connect again. What it promises beyond that:
 *
 * - A question ends within `timeout`, whatever the server does. One whose caller gave up before it was sent is never sent. One that was sent
 *   is never sent again: if the connection breaks before the answer, it fails at once, and nobody knows whether it was done.
 * - Without a connection, a question waits for one. After an outage of `timeout` all fail at once, until the server is back: whoever asks in
 *   vain need not find out again how long that takes.
 * - A script is sent by its digest; a server that does not know it is sent its text. Questions go out in the order in which they are asked.
 * - A connection that nobody uses is asked something now and then, so that it is not lost without anybody's knowing.
 * - Subscriptions share one connection of their own. They survive its loss; afterwards each listener is called once, for it may have missed
 *   something.
 *
 * @internal
 */
import { expect } from "../core/arguments.js"
import type { Argument, Script } from "../core/redis/script.js"
import { checkPrefix } from "../core/redis/script.js"
import { StoreError, type StoreErrorReason } from "../core/storeError.js"
import { now } from "../promise/clock.js"

/**
 * What becomes of a connection to the server. None is called while the driver's own functions run.
 *
 * @since 0.1.0
 */
export interface LinkEvents {
  /** It can be used: for the first time, or again. */
  ready(): void
  /** It cannot be used any more, or could not be made. (It may be told several times.) */
  lost(error: unknown): void
  /** It will never be usable. */
  failed(error: unknown): void
  /** A message on a channel that was subscribed to. */
  message(channel: string, message: string): void
}

/**
 * One connection to the server, which the driver makes again when it is lost, without an end.
 *
 * @since 0.1.0
 */
export interface Link {
  /** Sends a command at once; it is called only while the connection can be used. Strings in answers are strings. */
  call(command: string, args: ReadonlyArray<Argument>): Promise<unknown>
  /** Drops the connection, of which no answer comes any more, and makes it again. */
  reset(): void
  /** Ends it for good: nothing of it is left, also when the server does not react. */
  close(): void
}

/**
 * What speaks the protocol: a client library, or an adapter for one.
 *
 * @since 0.1.0
 */
export interface Driver {
  /** Opens a connection. It sends nothing by itself that a caller has given up, and nothing twice. */
  open(events: LinkEvents): Link
  /** Whether a call failed because the server said so, and not because its answer was lost. */
  isReply(error: unknown): boolean
}

export interface ConnectionOptions {
  /** The most milliseconds that a question takes. Default: 2,000. */
  readonly timeout?: number | undefined
  /** What all keys begin with. Default: `"effect-concurrency"`. */
  readonly prefix?: string | undefined
}

export interface CallOptions {
  /** Ends the wait, and, when the question was not sent yet, the question. One signal a call: it has a listener for each. */
  readonly signal?: AbortSignal | undefined
}

/** Milliseconds. */
export const defaultTimeout = 2000

/** Hears a message, or, with `undefined`, that some may have been missed. It must not throw. */
export type Listener = (message: string | undefined) => void

export class Connection {
  readonly prefix: string
  readonly timeout: number
  private readonly commands: Line
  private subscriptions: Subscriptions | undefined = undefined
  private isClosed = false
  private readonly digests: Digests

  constructor(
    private readonly driver: Driver,
    { prefix = "effect-concurrency", timeout = defaultTimeout }: ConnectionOptions = {}
  ) {
    this.prefix = checkPrefix("Redis", prefix)
    this.timeout = checkTimeout(timeout)
    this.digests = new Digests(driver)
    this.commands = new Line(driver, timeout, (link) => link.call("PING", []))
  }

  /** Sends a command. One that makes the server wait keeps all others waiting. */
  async send(command: string, args: ReadonlyArray<Argument> = [], options?: CallOptions): Promise<unknown> {
    checkCommand(command)
    return this.commands.ask({ operation: command, put: (link) => link.call(command, args) }, options)
  }

  /** Runs a script. */
  run<In, Out>(script: Script<In, Out>, input: In, options?: CallOptions): Promise<Out> {
    try {
      const { lua, name } = script
      const question = new Evaluation(this.digests, name, lua, script.keys(this.prefix, input), script.args(input))
      return this.commands.ask(question, options, (reply) => script.decode(reply, input))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs the text of a script. */
  eval(
    operation: string,
    lua: string,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument> = [],
    options?: CallOptions
  ): Promise<unknown> {
    return this.commands.ask(new Evaluation(this.digests, operation, lua, keys, args), options)
  }

  /**
   * Listens to a channel: at the latest from when the promise is fulfilled. What it gives ends that. When the connection was lost, and is
   * there again, the listener is called with `undefined`.
   */
  async subscribe(channel: string, listener: Listener, options: CallOptions = {}): Promise<() => void> {
    if (this.isClosed) throw new StoreError(`SUBSCRIBE: ${closed}`, { operation: "SUBSCRIBE", reason: "closed" })
    this.subscriptions ??= new Subscriptions(this.driver, this.timeout)
    return this.subscriptions.add(channel, listener, options)
  }

  /** Ends everything. What is not answered yet fails. */
  close(): void {
    this.isClosed = true
    this.commands.end({ reason: "closed", message: closed })
    this.subscriptions?.end()
  }
}

const closed = "the connection is closed"

/** What changes the connection itself, or what it answers: the stores, and whoever else uses it, would not find it as they left it. */
const disturbing = new Set(
  [
    [
      "SUBSCRIBE",
      "PSUBSCRIBE",
      "SSUBSCRIBE",
      "UNSUBSCRIBE",
      "PUNSUBSCRIBE",
      "SUNSUBSCRIBE",
      "MONITOR",
      "SYNC",
      "PSYNC"
    ],
    ["MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "SELECT", "HELLO", "AUTH", "RESET", "QUIT"]
  ].flat()
)

const checkCommand = (command: string): void => {
  expect(typeof command === "string" && command !== "", "Redis.send", "command", "the name of a command", command)
  const fits = !disturbing.has(command.toUpperCase())
  expect(
    fits,
    "Redis.send",
    "command",
    "one that leaves the connection as it is, for others share it",
    command,
    "string"
  )
}

const checkTimeout = (timeout: number): number =>
  expect(timeout > 0 && timeout < 2 ** 31, "Redis", "timeout", "a finite time above 0", timeout, "number")

/** What is put to the server. */
interface Question {
  /** What errors call it, and the keys that it touches. */
  readonly operation: string
  readonly keys?: ReadonlyArray<string>
  put(link: Link): Promise<unknown>
  /** Puts it in another way, if the answer was that the server does not understand this one. */
  putAgain?(link: Link, error: unknown): Promise<unknown> | undefined
}

/** What the server calls the scripts that were sent. */
class Digests {
  /** None while it has not said so. */
  private readonly known = new Map<string, string | undefined>()

  constructor(private readonly driver: Driver) {}

  /** It is asked at the first time; nobody waits for that. */
  of(link: Link, lua: string): string | undefined {
    const { known } = this
    const digest = known.get(lua)
    if (digest === undefined && !known.has(lua)) this.ask(link, lua)
    return digest
  }

  private ask(link: Link, lua: string): void {
    const { driver, known } = this
    known.set(lua, undefined)
    link.call("SCRIPT", ["LOAD", lua]).then(
      (digest) => known.has(lua) && known.set(lua, String(digest)),
      // A server that does not allow it is sent the text each time.
      (error) => driver.isReply(error) || known.delete(lua)
    )
    // Somebody makes a text of his own for each question.
    if (known.size > mostDigests) known.delete(known.keys().next().value!)
  }
}

const mostDigests = 1000

/** A script that is to be run: by its digest, or by its text. */
class Evaluation implements Question {
  /** What is sent; before the keys and the arguments there is room for what says which script it is. */
  private readonly rest: Array<Argument>

  constructor(
    private readonly digests: Digests,
    readonly operation: string,
    private readonly lua: string,
    readonly keys: ReadonlyArray<string>,
    args: ReadonlyArray<Argument>
  ) {
    this.rest = ["", keys.length, ...keys, ...args]
  }

  put(link: Link): Promise<unknown> {
    const digest = this.digests.of(link, this.lua)
    if (digest === undefined) return this.putText(link)
    const { rest } = this
    rest[0] = digest
    return link.call("EVALSHA", rest)
  }

  putAgain(link: Link, error: unknown): Promise<unknown> | undefined {
    return messageOf(error).startsWith("NOSCRIPT") ? this.putText(link) : undefined
  }

  private putText(link: Link): Promise<unknown> {
    return link.call("EVAL", [this.lua, ...this.rest.slice(1)])
  }
}

/** Why a connection is over: it was closed here, or it can never be made. */
interface Ended {
  readonly reason: StoreErrorReason
  readonly message: string
  readonly cause?: unknown
}

/** One connection, and who waits for it. */
class Line {
  private readonly link: Link
  private isReady = false
  /** It has been lost for so long that nobody waits for it any more. */
  private isDown = false
  /** Why it is over, when it is. */
  private ended: Ended | undefined = undefined
  private whyLost: unknown = undefined
  private outage: ReturnType<typeof setTimeout> | undefined = undefined
  private readonly heart: ReturnType<typeof setInterval>
  /** Both in the order in which they came; there is nobody in both, and who waits came later. */
  private readonly waiting = new Set<Asker<any>>()
  private readonly asked = new Set<Asker<any>>()
  /** Rings when the time of whoever came first may be over: one for all, since all have the same. */
  private timer: ReturnType<typeof setTimeout> | undefined = undefined

  constructor(
    readonly driver: Driver,
    readonly timeout: number,
    private readonly beat: Question["put"],
    private readonly onReady: () => void = () => {},
    message: LinkEvents["message"] = () => {}
  ) {
    this.watchOutage()
    this.heart = unreferenced(setInterval(() => this.check(), heartbeat))
    this.link = driver.open({
      ready: () => this.ready(),
      lost: (error) => this.lost(error),
      failed: (error) => this.end({ reason: "connection", message: messageOf(error), cause: error }),
      message
    })
  }

  /** The connection, if it can be used now. */
  get usable(): Link | undefined {
    return this.isReady ? this.link : undefined
  }

  private ready(): void {
    if (this.ended !== undefined || this.isReady) return
    this.isReady = true
    this.isDown = false
    clearTimeout(this.outage)
    this.onReady()
    for (const asker of take(this.waiting)) this.put(asker)
  }

  private lost(error: unknown): void {
    this.whyLost = error ?? this.whyLost
    if (!this.isReady) return
    this.isReady = false
    this.watchOutage()
    for (const asker of take(this.asked)) asker.fail("connection", "the connection broke", this.whyLost)
  }

  /** Drops the connection, and makes another. */
  renew(why: unknown): void {
    this.link.reset()
    this.lost(why)
  }

  private watchOutage(): void {
    this.outage = unreferenced(
      setTimeout(() => {
        this.isDown = true
        for (const asker of take(this.waiting)) asker.fail("timeout", this.unreachable, this.whyLost)
      }, this.timeout)
    )
  }

  /** One that nobody uses may have gone without a word: that is found out now, and not by whoever asks next. */
  private check(): void {
    if (this.isReady && this.asked.size === 0) this.ask({ operation: "PING", put: this.beat }).catch(() => {})
  }

  private get unreachable(): string {
    const why = this.whyLost === undefined ? "" : ` (${messageOf(this.whyLost)})`
    return `the server could not be reached for ${this.timeout} ms${why}`
  }

  /** Puts a question as soon as the connection can be used, and gives what is made of the answer. */
  ask<A = unknown>(question: Question, { signal }: CallOptions = {}, read: (reply: unknown) => A = unread): Promise<A> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const asker = new Asker(this, question, signal, read, resolve, reject)
      if (this.ended !== undefined) return asker.fail(this.ended.reason, this.ended.message, this.ended.cause)
      if (this.isDown) return asker.fail("connection", this.unreachable, this.whyLost)
      signal?.addEventListener("abort", asker)
      if (this.timer === undefined) this.setTimer(this.timeout)
      else if (this.asked.size === 0 && this.waiting.size === 0) referenced(this.timer)
      if (this.isReady) this.put(asker)
      else this.waiting.add(asker)
    })
  }

  private put(asker: Asker<any>): void {
    this.asked.add(asker)
    asker.put(this.link)
  }

  /** Whoever has an answer, or gives up, waits for nothing any more. */
  leave(asker: Asker<any>): void {
    if (!this.asked.delete(asker)) this.waiting.delete(asker)
    // It need not keep anybody awake; the next question needs it again.
    if (this.timer !== undefined && this.asked.size === 0 && this.waiting.size === 0) unreferenced(this.timer)
  }

  private setTimer(milliseconds: number): void {
    // After the event loop was blocked, timers come first, and what has arrived meanwhile after them: the answer may be there.
    this.timer = setTimeout(() => afterInput(() => this.expire()), milliseconds)
  }

  private get oldest(): Asker<any> | undefined {
    for (const asker of this.asked) return asker
    for (const asker of this.waiting) return asker
    return undefined
  }

  private expire(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    for (let asker = this.oldest; asker !== undefined && this.timer === undefined; asker = this.oldest) {
      const left = asker.endsAt - now()
      // Timers ring up to a millisecond early.
      if (left >= 1) this.setTimer(left)
      else if (this.waiting.has(asker)) asker.fail("timeout", this.unreachable, this.whyLost)
      else {
        const message = `no answer came within ${this.timeout} ms`
        asker.fail("timeout", message, undefined)
        // Answers come in the order of the questions: those of the others will not come on this connection either, or it is no better.
        this.renew(new Error(message))
      }
    }
  }

  /** It is over: what is not answered yet fails, and whatever is asked later. */
  end(ended: Ended): void {
    if (this.ended !== undefined) return
    this.ended = ended
    const { cause, message, reason } = ended
    this.isReady = false
    clearTimeout(this.outage)
    clearTimeout(this.timer)
    clearInterval(this.heart)
    this.link.close()
    for (const asker of [...take(this.waiting), ...take(this.asked)]) asker.fail(reason, message, cause)
  }
}

const unread = (reply: unknown): any => reply

/** Somebody who waits for the connection, and then for an answer. */
class Asker<A> {
  readonly endsAt: number
  private isWanted = true

  constructor(
    private readonly line: Line,
    private readonly question: Question,
    private readonly signal: AbortSignal | undefined,
    private readonly read: (reply: unknown) => A,
    private readonly resolve: (value: A) => void,
    private readonly reject: (reason: unknown) => void
  ) {
    this.endsAt = now() + line.timeout
  }

  put(link: Link): void {
    try {
      this.listen(link, this.question.put(link))
    } catch (error) {
      this.failed(link, error)
    }
  }

  private listen(link: Link, answer: Promise<unknown>): void {
    answer.then(
      (reply) => this.answered(reply),
      (error) => this.failed(link, error)
    )
  }

  /** True for whoever comes first. */
  private settles(): boolean {
    if (!this.isWanted) return false
    this.isWanted = false
    this.signal?.removeEventListener("abort", this)
    this.line.leave(this)
    return true
  }

  private answered(reply: unknown): void {
    if (!this.settles()) return
    try {
      this.resolve(this.read(reply))
    } catch (error) {
      this.reject(error)
    }
  }

  private failed(link: Link, failure: unknown): void {
    if (!this.isWanted) return
    let error = failure
    try {
      const again = this.question.putAgain?.(link, failure)
      if (again !== undefined) return this.listen(link, again)
    } catch (thrown) {
      error = thrown
    }
    const message = messageOf(error)
    if (!this.line.driver.isReply(error)) this.fail("connection", "the connection broke", error)
    // A script says where in it that was, before or after.
    else if (/\bWRONGTYPE\b/.test(message))
      this.fail("wrong type", `something else is stored: ${listed(this.question.keys)}`, error)
    else {
      this.fail("server", message, error)
      // It was the primary, and is a replica now, which keeps its connections. Whoever is primary may be had at the same address by now.
      if (/\bREADONLY\b/.test(message)) this.line.renew(error)
    }
  }

  fail(reason: StoreErrorReason, message: string, cause: unknown): void {
    if (!this.settles()) return
    const { operation } = this.question
    this.reject(
      new StoreError(`${operation}: ${message}`, { operation, reason, ...(cause === undefined ? {} : { cause }) })
    )
  }

  /** The signal was aborted. */
  handleEvent(): void {
    if (this.settles()) this.reject(this.signal!.reason)
  }
}

interface Subscriber {
  readonly listener: Listener
  /** Whether it was told that it will hear everything. */
  isOn: boolean
}

interface Channel {
  readonly subscribers: Set<Subscriber>
  /** What this connection, and not the one before it, was asked. */
  asked: Promise<unknown> | undefined
}

/** Who listens to what, on a connection of their own: one that listens can do nothing else. */
class Subscriptions {
  private readonly channels = new Map<string, Channel>()
  private readonly line: Line

  constructor(driver: Driver, timeout: number) {
    this.line = new Line(
      driver,
      timeout,
      // It cannot be asked much else. To be told again what one hears changes nothing.
      (link) => Promise.all([...this.channels.keys()].slice(0, 1).map((name) => link.call("SUBSCRIBE", [name]))),
      () => this.resume(),
      (name, message) => this.hear(this.channels.get(name), message)
    )
  }

  async add(name: string, listener: Listener, options: CallOptions): Promise<() => void> {
    let channel = this.channels.get(name)
    if (channel === undefined) this.channels.set(name, (channel = { subscribers: new Set(), asked: undefined }))
    const { subscribers } = channel
    const subscriber: Subscriber = { listener, isOn: false }
    subscribers.add(subscriber)
    const leave = () => {
      if (subscribers.delete(subscriber) && subscribers.size === 0) this.drop(name, channel)
    }
    try {
      const put = (link: Link) => (channel.asked ??= link.call("SUBSCRIBE", [name]))
      await this.line.ask({ operation: "SUBSCRIBE", put }, options, () => void (subscriber.isOn = true))
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }

  private drop(name: string, { asked }: Channel): void {
    this.channels.delete(name)
    if (asked !== undefined) this.line.usable?.call("UNSUBSCRIBE", [name]).catch(() => {})
  }

  private hear(channel: Channel | undefined, message: string | undefined): void {
    if (channel === undefined) return
    for (const { isOn, listener } of channel.subscribers) {
      // Whoever waits until he is on has missed nothing before that.
      if (isOn || message !== undefined) listener(message)
    }
  }

  /** The connection is another now. */
  private resume(): void {
    const link = this.line.usable!
    for (const [name, channel] of this.channels) {
      channel.asked = link.call("SUBSCRIBE", [name])
      channel.asked.then(
        () => this.hear(channel, undefined),
        () => {}
      )
    }
  }

  end(): void {
    this.line.end({ reason: "closed", message: closed })
    this.channels.clear()
  }
}

/** How often a connection is looked after that nobody uses. Shorter than what the boxes in between commonly wait until they forget it. */
const heartbeat = 15_000

/** It changes only how whoever asks is answered: nobody has to be kept awake for it. */
const unreferenced = <T>(timer: T): T => {
  ;(timer as { readonly unref?: () => void }).unref?.()
  return timer
}

const referenced = (timer: unknown): void => (timer as { readonly ref?: () => void }).ref?.()

const take = <A>(set: Set<A>): ReadonlyArray<A> => {
  const all = [...set]
  set.clear()
  return all
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Calls a function once what has arrived by now has been read. */
const afterInput = (f: () => void): void => {
  if (typeof setImmediate === "function") setImmediate(f)
  else setTimeout(f, 0)
}

const listed = (keys: ReadonlyArray<string> = []): string => keys.map((key) => JSON.stringify(key)).join(", ")
