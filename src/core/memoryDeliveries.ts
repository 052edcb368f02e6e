/**
 * Deliveries in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * State: of each queue, its items, of which each is ready, delayed, leased or dead; those that are ready by their place; deliveries by the
 * end of their leases; delays by theirs; the ids that are still known of items that are done; who watches it.
 *
 * Invariants:
 *
 * - I1 Each item is in exactly one of these: ready, delayed, leased, dead. A leased one has exactly one delivery.
 * - I2 What is ready is in order of its place, which it has from its offer and keeps.
 * - I3 A name without items, known ids and watchers is not here.
 * - I4 Tokens only grow, over all names.
 *
 * Transitions: `offer`, `exchange`, `requeue`, `purge`. It has no clock: it is handed one that it reads, and no timers: a lease or a delay
 * that is over is noticed by whoever takes.
 *
 * @internal
 */
import type {
  Change,
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  Given,
  OfferRequest,
  Outcome,
  Settled
} from "./deliveries.js"
import { leaseEnded } from "./deliveries.js"
import { Timer } from "./timers.js"
import * as timers from "./timers.js"

/** An item, which is its own timer while it is delayed. */
class Item extends Timer {
  status: "ready" | "delayed" | "leased" | "dead" = "ready"
  failures = 0
  reason = ""
  since = 0

  constructor(
    readonly id: string,
    readonly payload: string,
    readonly named: boolean,
    readonly rank: number
  ) {
    super()
  }

  fire(): void {}
}

/** A delivery, which is its own timer. */
class Lease extends Timer {
  constructor(
    readonly name: string,
    readonly item: Item
  ) {
    super()
  }

  fire(): void {}
}

/** What is ready: those that have not been taken yet, in the order in which they came, and those that have come back. */
class Ready {
  private fresh: Array<Item> = []
  private first = 0
  private readonly back: Array<Item> = []

  get size(): number {
    return this.fresh.length - this.first + this.back.length
  }

  push(item: Item): void {
    this.fresh.push(item)
  }

  /** What comes back has its old place. There is little of it. */
  restore(item: Item): void {
    let place = this.back.length
    while (place > 0 && this.back[place - 1]!.rank > item.rank) place--
    this.back.splice(place, 0, item)
  }

  shift(): Item | undefined {
    // What has come back was taken before all that has not been.
    if (this.back.length > 0) return this.back.shift()
    const fresh = this.fresh[this.first]
    if (fresh === undefined) return undefined
    this.first++
    // Half of it is gone: time to let go of that.
    if (this.first > 32 && this.first * 2 > this.fresh.length) {
      this.fresh = this.fresh.slice(this.first)
      this.first = 0
    }
    return fresh
  }

  all(): ReadonlyArray<Item> {
    return [...this.back, ...this.fresh.slice(this.first)]
  }
}

interface Queue {
  readonly items: Map<string, Item>
  readonly ready: Ready
  readonly leases: Map<string, Lease>
  readonly leased: timers.State
  readonly delayed: timers.State
  readonly dead: Map<string, Item>
  /** Until when an id is known. */
  readonly done: Map<string, number>
  readonly watchers: Set<(change: Change) => void>
  rank: number
}

const make = (): Queue => ({
  items: new Map(),
  ready: new Ready(),
  leases: new Map(),
  leased: timers.make(),
  delayed: timers.make(),
  dead: new Map(),
  done: new Map(),
  watchers: new Set(),
  rank: 0
})

export class MemoryDeliveries {
  private readonly queues = new Map<string, Queue>()
  private token = 0

  constructor(private readonly time: { now(): number }) {}

  offer({ items, name }: OfferRequest): ReadonlyArray<boolean> {
    return this.change(name, (queue, now) =>
      items.map(({ id, named, payload }) => {
        if (queue.items.has(id) || isKnown(queue, id, now)) return false
        const item = new Item(id, payload, named, queue.rank++)
        queue.items.set(id, item)
        queue.ready.push(item)
        return true
      })
    )
  }

  exchange({ attempts, lease, name, remember, renew, settle, take }: ExchangeRequest): ExchangeAnswer {
    return this.change(name, (queue, now) => {
      const settled = settle.map(({ delivery, outcome }) =>
        settleOne(queue, delivery, outcome, { attempts, now, remember })
      )
      const renewed = renew.map((delivery) => renewOne(queue, delivery, now + lease))
      const died: Array<string> = []
      const taken: Array<Given> = []
      if (take.length === 0) return { settled, renewed, taken, retryAfter: Infinity, died }
      comeBack(queue, now, attempts, died)
      for (const delivery of take) {
        const item = queue.ready.shift()
        if (item === undefined) break
        item.status = "leased"
        const held = new Lease(delivery, item)
        queue.leases.set(delivery, held)
        timers.add(queue.leased, held, now + lease)
        const { failures, id, payload } = item
        taken.push({ delivery, id, payload, attempt: failures + 1, token: ++this.token })
      }
      const next = Math.min(firstAt(queue.leased), firstAt(queue.delayed)) - now
      return { settled, renewed, taken, retryAfter: taken.length < take.length ? next : Infinity, died }
    })
  }

  counts(name: string): Counts {
    const { dead, delayed, leases, ready } = this.queues.get(name) ?? make()
    return { ready: ready.size, delayed: delayed.heap.length, leased: leases.size, dead: dead.size }
  }

  deadLetters(name: string, limit: number): ReadonlyArray<DeadLetter> {
    const dead = this.queues.get(name)?.dead.values() ?? []
    return Array.from(dead)
      .slice(0, limit)
      .map(({ failures, id, payload, reason, since }) => ({ id, payload, attempts: failures, reason, since }))
  }

  requeue(request: DeadRequest): number {
    return this.move(request, ({ ready }, item) => {
      item.status = "ready"
      item.failures = 0
      ready.restore(item)
    })
  }

  purge(request: DeadRequest): number {
    return this.move(request, ({ items }, { id }) => void items.delete(id))
  }

  /** Takes dead letters out. */
  private move({ ids, name }: DeadRequest, to: (queue: Queue, item: Item) => void): number {
    return this.change(name, (queue) => {
      const all = ids === undefined ? [...queue.dead.values()] : ids.flatMap((id) => queue.dead.get(id) ?? [])
      let count = 0
      for (const item of all) {
        if (!queue.dead.delete(item.id)) continue
        to(queue, item)
        count++
      }
      return count
    })
  }

  /** Calls a function with each change. */
  watch(name: string, changed: (change: Change) => void): () => void {
    const queue = this.queue(name)
    // One function may watch twice.
    const watcher = (change: Change) => changed(change)
    queue.watchers.add(watcher)
    return () => {
      queue.watchers.delete(watcher)
      this.forget(name, queue)
    }
  }

  private queue(name: string): Queue {
    let queue = this.queues.get(name)
    if (queue === undefined) this.queues.set(name, (queue = make()))
    return queue
  }

  private forget(name: string, { done, items, watchers }: Queue): void {
    if (items.size + done.size + watchers.size === 0) this.queues.delete(name)
  }

  /** One step; and then those who watch hear what it has changed. */
  private change<A>(name: string, step: (queue: Queue, now: number) => A): A {
    const now = this.time.now()
    const queue = this.queue(name)
    forgetDone(queue, now)
    const before = queue.ready.size
    const delay = firstAt(queue.delayed)
    const wasBusy = isBusy(queue)
    const result = step(queue, now)
    const watchers = [...queue.watchers]
    this.forget(name, queue)
    if ((before === 0 && queue.ready.size > 0) || firstAt(queue.delayed) < delay) {
      for (const changed of watchers) changed("ready")
    }
    if (wasBusy && !isBusy(queue)) for (const changed of watchers) changed("idle")
    return result
  }

  /** How many names there is something about. For tests. */
  get size(): number {
    return this.queues.size
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const [name, { dead, delayed, done, items, leased, leases, ready, watchers }] of this.queues) {
      timers.check(leased)
      timers.check(delayed)
      const all = ready.all()
      const places = all.length + delayed.heap.length + leases.size + dead.size
      if (places !== items.size) throw new Error(`I1: ${items.size} items, and ${places} places`)
      const inHand = Array.from(leases.values(), ({ item }) => item)
      for (const [status, list] of [
        ["ready", all],
        ["delayed", delayed.heap as Array<Timer> as Array<Item>],
        ["leased", inHand],
        ["dead", [...dead.values()]]
      ] as const) {
        const wrong = list.find((item) => item.status !== status || items.get(item.id) !== item)
        if (wrong !== undefined) throw new Error(`I1: ${wrong.id} is ${status}, and says ${wrong.status}`)
      }
      if (leased.heap.length !== leases.size)
        throw new Error(`I1: ${leases.size} deliveries, ${leased.heap.length} leases`)
      const early = all.find(({ rank }, i) => i > 0 && all[i - 1]!.rank >= rank)
      if (early !== undefined) throw new Error(`I2: ${early.id} is ready before its turn, or twice`)
      if (items.size + done.size + watchers.size === 0) throw new Error(`I3: there is nothing about ${name}`)
    }
  }
}

const firstAt = ({ heap }: timers.State): number => heap[0]?.at ?? Infinity

const isBusy = ({ dead, items }: Queue): boolean => items.size > dead.size

const isKnown = ({ done }: Queue, id: string, now: number): boolean => (done.get(id) ?? -Infinity) > now

/** Those that were done first are forgotten first. */
const forgetDone = ({ done }: Queue, now: number): void => {
  for (const [id, until] of done) {
    if (until > now) return
    done.delete(id)
  }
}

/** The delivery is over. */
const end = ({ leased, leases }: Queue, lease: Lease): Item => {
  leases.delete(lease.name)
  timers.remove(leased, lease)
  return lease.item
}

const back = ({ ready }: Queue, item: Item): void => {
  item.status = "ready"
  ready.restore(item)
}

const bury = ({ dead }: Queue, item: Item, reason: string, now: number): void => {
  item.status = "dead"
  item.reason = reason
  item.since = now
  dead.set(item.id, item)
}

interface Terms {
  readonly attempts: number
  readonly now: number
  readonly remember: number
}

const settleOne = (queue: Queue, delivery: string, outcome: Outcome, { attempts, now, remember }: Terms): Settled => {
  const lease = queue.leases.get(delivery)
  if (lease === undefined) return "lost"
  const item = end(queue, lease)
  switch (outcome.kind) {
    case "acknowledge":
      queue.items.delete(item.id)
      if (item.named && remember > 0) queue.done.set(item.id, now + remember)
      return "settled"
    case "return":
      back(queue, item)
      return "settled"
    case "bury":
      item.failures++
      bury(queue, item, outcome.reason, now)
      return "buried"
    case "reject":
      return fail(queue, item, outcome.delay, outcome.reason, attempts, now) ? "buried" : "settled"
  }
}

/** One more attempt has failed. True: it was the last. */
const fail = (queue: Queue, item: Item, delay: number, reason: string, attempts: number, now: number): boolean => {
  item.failures++
  if (item.failures >= attempts) {
    bury(queue, item, reason, now)
    return true
  }
  if (delay > 0) {
    item.status = "delayed"
    timers.add(queue.delayed, item, now + delay)
  } else back(queue, item)
  return false
}

const renewOne = ({ leased, leases }: Queue, delivery: string, until: number): boolean => {
  const lease = leases.get(delivery)
  if (lease === undefined) return false
  timers.remove(leased, lease)
  timers.add(leased, lease, until)
  return true
}

/** What is over by now: leases, of which an attempt each has failed, and delays. */
const comeBack = (queue: Queue, now: number, attempts: number, died: Array<string>): void => {
  for (let lease; (lease = timers.due(queue.leased, now, Infinity)) !== undefined;) {
    const item = end(queue, lease as Lease)
    if (fail(queue, item, 0, leaseEnded, attempts, now)) died.push(item.id)
  }
  for (let item; (item = timers.due(queue.delayed, now, Infinity)) !== undefined;) back(queue, item as Item)
}
