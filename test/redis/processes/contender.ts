/**
 * A process that contends for locks with others. It does what its parent tells it, and asks its parent, who stands for the resource that is
 * protected, for everything that it does to that. See `harness.ts`.
 */
import { DistributedMutex } from "../../../src/promise/distributed/DistributedMutex.js"
import { DistributedSemaphore } from "../../../src/promise/distributed/DistributedSemaphore.js"
import { type DistributedLease, type LeaseContext } from "../../../src/promise/distributed/leases.js"
import { LeaseLost } from "../../../src/core/lease.js"
import { StoreError } from "../../../src/core/storeError.js"
import { connect } from "../../../src/redis/connect.js"
import { RedisLeases } from "../../../src/redis/leases.js"
import type { Answer, Command, Question } from "./harness.js"

const { offset, prefix, url } = JSON.parse(process.argv[2]!) as { url: string; prefix: string; offset: number }

if (offset !== 0) {
  // The clock of this machine is wrong.
  const right = Date.now
  Date.now = () => right() + offset
  globalThis.Date = class extends Date {
    constructor(...args: Array<any>) {
      // @ts-expect-error -- whatever it is given
      super(...(args.length === 0 ? [right() + offset] : args))
    }
  } as DateConstructor
}

const store = new RedisLeases(connect({ url, prefix }))
const held = new Map<number, DistributedLease>()

let questions = 0
const asked = new Map<number, (answer: boolean) => void>()

/** Asks the resource. */
const ask = (question: Omit<Question, "kind" | "id">): Promise<boolean> =>
  new Promise((resolve) => {
    const id = questions++
    asked.set(id, resolve)
    process.send!({ kind: "question", id, ...question } satisfies Question)
  })

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** What is done with a lock: the resource is written to a few times, unless the lease is lost. */
const section =
  ({ blocks = 0, hold, name }: Command, deaf: boolean) =>
  async ({ lease, signal, token }: LeaseContext): Promise<number> => {
    await ask({ what: "enter", name, token })
    // The event loop is kept busy.
    if (blocks > 0) for (const end = performance.now() + blocks; performance.now() < end;);
    for (const end = performance.now() + hold; performance.now() < end && (deaf || !signal.aborted);) {
      if (!deaf) lease.check()
      await ask({ what: "write", name, token })
      await sleep(Math.min(10, hold))
    }
    if (!deaf) lease.check()
    // The one who holds it next may come as soon as it is given back.
    await ask({ what: "exit", name, token })
    return token
  }

/** What failed, as far as a parent can be told. */
const outcome = (error: unknown): Answer["error"] => {
  if (error instanceof LeaseLost) return { tag: "LeaseLost", message: error.message, token: error.token }
  if (error instanceof StoreError) return { tag: "StoreError", message: error.message }
  return { tag: "Error", message: String((error as Error)?.stack ?? error) }
}

const perform = async (command: Command): Promise<unknown> => {
  const { deaf = false, lease, limit, name, permits = 1, what } = command
  const options = { lease, poll: command.poll ?? 500 }
  if (what === "acquire") {
    const lock = new DistributedSemaphore(store, { ...options, limit })
    const taken = await lock.acquire(name, { permits })
    held.set(taken.token, taken)
    return taken.token
  }
  const lock =
    limit === 1 ? new DistributedMutex(store, options) : new DistributedSemaphore(store, { ...options, limit })
  const run = (f: (context: LeaseContext) => Promise<number>) =>
    lock instanceof DistributedMutex ? lock.run(name, f) : lock.run(name, f, { permits })
  return run(section(command, deaf))
}

process.on(
  "message",
  async (message: Command | { readonly kind: "answer"; readonly id: number; readonly answer: boolean }) => {
    if (message.kind === "answer") {
      asked.get(message.id)!(message.answer)
      asked.delete(message.id)
      return
    }
    try {
      process.send!({ kind: "done", id: message.id, value: await perform(message) })
    } catch (error) {
      process.send!({ kind: "done", id: message.id, error: outcome(error) })
    }
  }
)

process.on("disconnect", () => process.exit())

process.send!({ kind: "ready" })
