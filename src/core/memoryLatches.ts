/**
 * Flags in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * State: of each flag that is set, until when; of each name, what its count is, and when that grew; who watches which name; the latest count.
 *
 * Invariants:
 *
 * - I1 Counts only grow, over all names. None is larger than the latest.
 * - I2 A count is forgotten a day after it grew, once any other one grows. (Whoever has waited for longer goes on waiting: the next count is larger,
 *   for it is larger than all.)
 *
 * Transitions: `set`, `clear`, `pulse`. It has no timers.
 *
 * @internal
 */
import type { Look } from "./latch.js"
import type { SetRequest } from "./latches.js"

interface Count {
  readonly value: number
  readonly at: number
}

const day = 86_400_000

export class MemoryLatches {
  private readonly flags = new Map<string, number>()
  /** In the order in which they grew. */
  private readonly counts = new Map<string, Count>()
  private readonly watchers = new Map<string, Set<() => void>>()
  private latest = 0

  constructor(private readonly time: { now(): number }) {}

  set({ name, timeToLive = Infinity }: SetRequest): void {
    this.flags.set(name, this.time.now() + timeToLive)
    this.pulse(name)
  }

  clear(name: string): void {
    this.flags.delete(name)
  }

  pulse(name: string): void {
    const now = this.time.now()
    this.counts.delete(name)
    this.counts.set(name, { value: ++this.latest, at: now })
    for (const [other, { at }] of this.counts) {
      if (at + day > now) break
      this.counts.delete(other)
      this.dropOver(other)
    }
    // Who is told may go, or another may come.
    const told = [...(this.watchers.get(name) ?? [])]
    for (const changed of told) changed()
  }

  look(name: string): Look {
    this.dropOver(name)
    return { isSet: this.flags.has(name), count: this.counts.get(name)?.value ?? 0 }
  }

  private dropOver(name: string): void {
    if (this.flags.get(name)! <= this.time.now()) this.flags.delete(name)
  }

  /** Calls a function whenever the count of a name has grown. */
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

  /** How many names there is something about. For tests. */
  get size(): number {
    return Math.max(this.flags.size, this.counts.size)
  }

  /** How many names are watched. For tests. */
  get watched(): number {
    return this.watchers.size
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    let latest = 0
    for (const [name, { value }] of this.counts) {
      if (value <= latest || value > this.latest) throw new Error(`I1: the count of ${name} is ${value}`)
      latest = value
    }
  }
}
