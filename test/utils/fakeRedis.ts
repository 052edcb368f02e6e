/** A driver for tests: it answers when the test says so, and is told what becomes of its connections. */
import {
  Connection,
  type ConnectionOptions,
  type Driver,
  type Link,
  type LinkEvents
} from "../../src/redis/connection.js"

export class Reply extends Error {}

export interface Call {
  readonly command: string
  readonly args: ReadonlyArray<string | number>
  readonly answer: (value: unknown) => void
  readonly fail: (error: unknown) => void
}

export class FakeLink implements Link {
  /** What was sent, ever. */
  readonly sent: Array<string> = []
  /** What is not answered. */
  readonly open: Array<Call> = []
  resets = 0
  isClosed = false

  constructor(readonly events: LinkEvents) {}

  call(command: string, args: ReadonlyArray<string | number>): Promise<unknown> {
    this.sent.push([command, ...args].join(" "))
    return new Promise((answer, fail) => this.open.push({ command, args, answer, fail }))
  }

  /** Answers the oldest. */
  answer(value: unknown): void {
    this.open.shift()!.answer(value)
  }

  /** As a server does that refuses. */
  refuse(message: string): void {
    this.open.shift()!.fail(new Reply(message))
  }

  reset(): void {
    this.resets++
  }

  close(): void {
    this.isClosed = true
  }
}

export class FakeDriver implements Driver {
  readonly links: Array<FakeLink> = []

  open(events: LinkEvents): FakeLink {
    const link = new FakeLink(events)
    this.links.push(link)
    return link
  }

  isReply(error: unknown): boolean {
    return error instanceof Reply
  }
}

export interface Fake {
  readonly driver: FakeDriver
  readonly connection: Connection
  /** That for commands. */
  readonly link: FakeLink
  /** That for subscriptions, once there is one. */
  readonly listening: FakeLink
}

export const fake = (options?: ConnectionOptions): Fake => {
  const driver = new FakeDriver()
  const connection = new Connection(driver, options)
  return {
    driver,
    connection,
    link: driver.links[0]!,
    get listening() {
      return driver.links[1]!
    }
  }
}
