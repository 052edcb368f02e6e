/** One producer, one or three consumers, at most 100 items between them. A consumer ends when it takes `END`. */
import type { Effect } from "effect"
import { type Contender, ours, type Workload } from "./workload.js"

const capacity = 100
const END = -1

interface EffectQueue {
  readonly offer: (item: number) => Effect.Effect<unknown>
  readonly take: Effect.Effect<number, unknown>
}

const effectQueues: Record<string, () => Promise<EffectQueue>> = {
  [ours]: async () => {
    const { WorkQueue } = await import("effect-concurrency")
    const queue = WorkQueue.makeUnsafe<number>({ capacity })
    return { offer: (item) => queue.offer(item) as Effect.Effect<unknown>, take: queue.take }
  },
  "Effect Queue": async () => {
    const { Effect, Queue } = await import("effect")
    const queue = Effect.runSync(Queue.bounded<number>(capacity))
    return { offer: (item) => queue.offer(item), take: queue.take }
  },
  "Effect Mailbox": async () => {
    const { Effect, Mailbox } = await import("effect")
    const mailbox = Effect.runSync(Mailbox.make<number>(capacity))
    return { offer: (item) => mailbox.offer(item), take: mailbox.take }
  }
}

const throughEffect =
  (make: () => Promise<EffectQueue>, consumers: number): Contender =>
  async (items) => {
    const { Effect } = await import("effect")
    const queue = await make()
    let taken = 0
    const producer = Effect.gen(function* () {
      for (let i = 0; i < items; i++) yield* queue.offer(i)
      for (let i = 0; i < consumers; i++) yield* queue.offer(END)
    })
    const consumer = Effect.gen(function* () {
      while ((yield* queue.take) !== END) taken++
    })
    const program = Effect.all([producer, ...Array.from({ length: consumers }, () => consumer)], {
      concurrency: "unbounded",
      discard: true
    })
    return async () => {
      await Effect.runPromise(program)
      return taken
    }
  }

const throughPromises =
  (consumers: number): Contender =>
  async (items) => {
    const { WorkQueue } = await import("effect-concurrency/promise")
    const queue = new WorkQueue<number>({ capacity })
    let taken = 0
    const producer = async () => {
      for (let i = 0; i < items; i++) await queue.offer(i)
      for (let i = 0; i < consumers; i++) await queue.offer(END)
    }
    const consumer = async () => {
      while ((await queue.take()) !== END) taken++
    }
    return async () => {
      await Promise.all([producer(), ...Array.from({ length: consumers }, consumer)])
      return taken
    }
  }

/** Not the same thing: it has no bound, so the producer waits for each 100 to be done. For information. */
const throughFastq =
  (consumers: number): Contender =>
  async (items) => {
    const { default: fastq } = await import("fastq")
    let taken = 0
    const queue = fastq.promise<unknown, number>(async () => {
      taken++
    }, consumers)
    return async () => {
      for (let i = 1; i <= items; i++) {
        void queue.push(i)
        if (i % capacity === 0) await queue.drained()
      }
      await queue.drained()
      return taken
    }
  }

export const workloads: ReadonlyArray<Workload> = [1, 3].flatMap((consumers): Array<Workload> => {
  const who = consumers === 1 ? "1 consumer" : `${consumers} consumers`
  return [
    {
      name: `queue, ${who}, Effect`,
      sizes: [100_000],
      contenders: Object.fromEntries(
        Object.entries(effectQueues).map(([name, make]) => [name, throughEffect(make, consumers)])
      )
    },
    {
      name: `queue, ${who}, promise`,
      sizes: [100_000],
      aims: { asyncio: 2, "fastq (batches)": 0 },
      contenders: {
        [ours]: throughPromises(consumers),
        asyncio: { python: `queue-${consumers}` },
        "fastq (batches)": throughFastq(consumers)
      }
    }
  ]
})
