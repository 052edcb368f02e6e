/**
 * Barriers in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * State: of each name, how many parties there are, which generation is filling and who waits in it (with which index, until when); what became of
 * those who waited before; whether the barrier is broken, and since when; who watches which name.
 *
 * Invariants:
 *
 * - I1 Fewer wait than there are parties, and nobody waits at a broken barrier.
 * - I2 The indices of those who wait are distinct and smaller than the number of parties, also after somebody withdrew.
 * - I3 What became of a party is decided once, and remembered for twice its lease: it asks again within one, as long as it can. One that withdrew
 *   before its arrival came, to break the barrier, does that when it comes: once.
 * - I4 A name that nobody waits under, that is not broken, and of which nothing is remembered, is not here.
 *
 * Transitions: `arrive`, `renew`, `withdraw`, `reset`, `abort`. It has no timers: that a lease has ended is found by whoever asks next.
 *
 * @internal
 */
import type { ArriveRequest, PartyRequest, WithdrawRequest } from "./parties.js"
import type { Answer } from "./party.js"

interface Waiting {
  readonly index: number
  lease: number
  until: number
}

/** What became of a party. */
interface Past {
  readonly index: number | "broken" | "withdrawn" | "to break"
  readonly until: number
}

interface Barrier {
  parties: number
  generation: number
  broken: boolean
  brokenAt: number
  readonly waiting: Map<string, Waiting>
  readonly past: Map<string, Past>
}

/** For how long a barrier stays broken that nobody resets. */
const day = 86_400_000

export class MemoryParties {
  private readonly names = new Map<string, Barrier>()
  private readonly watchers = new Map<string, Set<() => void>>()
  private generations = 0

  constructor(private readonly time: { now(): number }) {}

  arrive({ lease, name, parties, party }: ArriveRequest): Answer {
    return this.at(name, (barrier, now) => {
      // Whoever withdrew to break the barrier, and was faster than its arrival, does so now.
      const isLate = barrier.past.get(party)?.index === "to break"
      if (!isLate && this.knows(barrier, party)) return this.answer(barrier, party, lease, now)
      if (barrier.waiting.size === 0) {
        barrier.parties = parties
        barrier.generation = ++this.generations
      }
      if (isLate) {
        barrier.past.set(party, { index: "broken", until: now + 2 * lease })
        if (!barrier.broken) this.break(name, barrier, now)
      }
      if (barrier.broken) return { kind: "broken", parties: barrier.parties }
      barrier.waiting.set(party, { index: freeIndex(barrier), lease, until: now + lease })
      if (barrier.waiting.size === barrier.parties) this.end(name, barrier, now, ({ index }) => index)
      return this.answer(barrier, party, lease, now)
    })
  }

  renew({ lease, name, party }: PartyRequest): Answer {
    return this.at(name, (barrier, now) => this.answer(barrier, party, lease, now))
  }

  withdraw({ breaks, lease, name, party }: WithdrawRequest): void {
    this.at(name, (barrier, now) => {
      const isWaiting = barrier.waiting.has(party)
      if (isWaiting && breaks) return this.break(name, barrier, now)
      // Should its arrival come after this, it does not count.
      const index = breaks ? "to break" : "withdrawn"
      if (isWaiting || !barrier.past.has(party)) barrier.past.set(party, { index, until: now + 2 * lease })
      barrier.waiting.delete(party)
    })
  }

  reset(name: string): void {
    this.at(name, (barrier, now) => {
      this.break(name, barrier, now)
      barrier.broken = false
    })
  }

  abort(name: string): void {
    this.at(name, (barrier, now) => this.break(name, barrier, now))
  }

  isBroken(name: string): boolean {
    return this.at(name, ({ broken }) => broken)
  }

  /** Calls a function whenever something has become of those who waited. */
  watch(name: string, changed: () => void): () => void {
    let all = this.watchers.get(name)
    if (all === undefined) this.watchers.set(name, (all = new Set()))
    // One function may watch twice.
    const watcher = () => changed()
    all.add(watcher)
    return () => {
      all.delete(watcher)
      if (all.size === 0 && this.watchers.get(name) === all) this.watchers.delete(name)
    }
  }

  /** Finds what is over, and does something. */
  private at<A>(name: string, f: (barrier: Barrier, now: number) => A): A {
    const now = this.time.now()
    const barrier = this.names.get(name) ?? {
      parties: 1,
      generation: 0,
      broken: false,
      brokenAt: 0,
      waiting: new Map(),
      past: new Map()
    }
    this.names.set(name, barrier)
    for (const [party, { until }] of barrier.past) if (until <= now) barrier.past.delete(party)
    if (barrier.brokenAt + day <= now) barrier.broken = false
    for (const { until } of barrier.waiting.values()) {
      if (until > now) continue
      this.break(name, barrier, now)
      break
    }
    const result = f(barrier, now)
    if (barrier.waiting.size + barrier.past.size === 0 && !barrier.broken) this.names.delete(name)
    return result
  }

  private knows({ past, waiting }: Barrier, party: string): boolean {
    return waiting.has(party) || past.has(party)
  }

  private answer({ generation, parties, past, waiting }: Barrier, party: string, lease: number, now: number): Answer {
    const waits = waiting.get(party)
    if (waits !== undefined) {
      waits.lease = lease
      waits.until = now + lease
      return { kind: "waiting", parties, generation }
    }
    const index = past.get(party)?.index ?? "withdrawn"
    if (index === "withdrawn" || index === "to break") return { kind: "unknown" }
    return index === "broken" ? { kind: "broken", parties } : { kind: "passed", parties, index }
  }

  private break(name: string, barrier: Barrier, now: number): void {
    barrier.broken = true
    barrier.brokenAt = now
    this.end(name, barrier, now, () => "broken")
  }

  /** The same becomes of all who wait. */
  private end(name: string, { past, waiting }: Barrier, now: number, indexOf: (party: Waiting) => Past["index"]): void {
    for (const [id, party] of waiting) past.set(id, { index: indexOf(party), until: now + 2 * party.lease })
    waiting.clear()
    // Who is told may go, or another may come.
    const told = [...(this.watchers.get(name) ?? [])]
    for (const changed of told) changed()
  }

  /** How many names there is something about. For tests. */
  get size(): number {
    return this.names.size
  }

  /** How many names are watched. For tests. */
  get watched(): number {
    return this.watchers.size
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const [name, { broken, parties, past, waiting }] of this.names) {
      if (waiting.size >= parties) throw new Error(`I1: ${waiting.size} of ${parties} wait at ${name}`)
      if (broken && waiting.size > 0) throw new Error(`I1: ${waiting.size} wait at ${name}, which is broken`)
      const indices = Array.from(waiting.values(), ({ index }) => index)
      if (new Set(indices).size < indices.length || indices.some((index) => index >= parties))
        throw new Error(`I2: the indices at ${name} are ${indices.join()}`)
      for (const party of waiting.keys()) if (past.has(party)) throw new Error(`I3: ${party} waits at ${name} again`)
      if (!broken && waiting.size + past.size === 0) throw new Error(`I4: there is nothing at ${name}`)
    }
  }
}

/** The lowest that nobody has who waits. */
const freeIndex = ({ waiting }: Barrier): number => {
  const taken = new Set(Array.from(waiting.values(), ({ index }) => index))
  let index = 0
  while (taken.has(index)) index++
  return index
}
