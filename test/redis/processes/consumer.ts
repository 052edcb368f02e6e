/**
 * A process that offers to a queue and consumes it. It tells its parent what it does: each offer that the store has confirmed, each item
 * that it begins with, and each that it has done, before it acknowledges that. See `queue.ts`.
 */
import { DistributedQueue } from "../../../src/promise/distributed/DistributedQueue.js"
import { connect } from "../../../src/redis/connect.js"
import { RedisDeliveries } from "../../../src/redis/deliveries.js"
import type { ConsumerCommand, ConsumerNews, ConsumerOptions } from "./queue.js"

const { lease, poll, prefix, url } = JSON.parse(process.argv[2]!) as ConsumerOptions

// What is reported is not looked at here.
console.error = () => {}

const connection = connect({ url, prefix, timeout: 1000 })
const store = new RedisDeliveries(connection)

/** Once this is fulfilled it reaches the parent, also when this process is killed. */
const tell = (news: ConsumerNews): Promise<void> =>
  new Promise((resolve) => {
    process.send!(news, () => resolve())
  })

const sleep = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

const queueOf = (name: string) =>
  new DistributedQueue<string>(store, { name, lease, poll, attempts: 1_000_000, retry: { base: 1, cap: 20 } })

/** Offers again until it is known that the item is in. */
const offer = async (queue: DistributedQueue<string>, id: string): Promise<void> => {
  for (;;) {
    try {
      await queue.offer(id, { id })
      return
    } catch {
      await sleep(10)
    }
  }
}

let ending: AbortController | undefined

process.on("message", async (command: ConsumerCommand) => {
  if (command.kind === "end") {
    ending?.abort()
    return
  }
  const { blocks, concurrency, fails, hold, items, name } = command
  const queue = queueOf(name)
  const end = (ending = new AbortController())
  const produce = async () => {
    for (const id of items) {
      await offer(queue, id)
      await tell({ kind: "offered", name, id })
    }
  }
  const consume = queue
    .consume(
      async (item, { attempt, id, signal, token }) => {
        if (item !== id) throw new Error(`${id} is ${item}`)
        await tell({ kind: "began", name, id, attempt, token })
        if (Math.random() < fails) throw new Error("failed")
        if (Math.random() < blocks) for (const over = performance.now() + 2 * lease; performance.now() < over;);
        await sleep(Math.random() * hold)
        if (signal.aborted) throw signal.reason
        await tell({ kind: "did", name, id, attempt, token })
      },
      { concurrency, signal: end.signal }
    )
    .catch((error: unknown) => error)
  await produce()
  await tell({ kind: "produced", name })
  await consume
  await tell({ kind: "ended", name })
})

process.on("disconnect", () => process.exit())

void tell({ kind: "ready" })
