/**
 * Leases in memory, as a store keeps them: the stand-in for one that several programs share.
 *
 * State: of each name that anybody holds permits of, how many there are (the limit), how many are held, and by whom, until when; who watches
 * which name; the latest token.
 *
 * Invariants:
 *
 * - I1 Of each name, what is held is the sum of what its holders have, and no more than the limit.
 * - I2 A name that nobody holds is not here.
 * - I3 Tokens only grow, over all names.
 *
 * Transitions: `acquire`, `renew`, `release`. It has no timers: a lease that is over is dropped when its permits, or its limit, matter.
 *
 * @internal
 */
import type { AcquireRequest, Answer, Holder, Released, RenewRequest } from "./lessor.js"

interface Holding {
  readonly permits: number
  readonly token: number
  until: number
}

interface Entry {
  limit: number
  used: number
  readonly holdings: Map<string, Holding>
}

export class MemoryLeases {
  private readonly names = new Map<string, Entry>()
  private readonly watchers = new Map<string, Set<() => void>>()
  private fence = 0

  constructor(private readonly time: { now(): number }) {}

  acquire({ holder, lease, limit, name, permits }: AcquireRequest): Answer {
    const now = this.time.now()
    const entry = this.names.get(name) ?? { limit, used: 0, holdings: new Map() }
    if (isOver(entry.holdings.get(holder), now)) drop(entry, holder)
    if (entry.limit !== limit || entry.used + permits > entry.limit) dropOver(entry, now)
    if (entry.used === 0) entry.limit = limit
    let holding = entry.holdings.get(holder)
    if (holding === undefined && entry.used + permits <= entry.limit) {
      entry.holdings.set(holder, (holding = { permits, token: ++this.fence, until: 0 }))
      entry.used += permits
      this.names.set(name, entry)
    }
    if (holding !== undefined) {
      holding.until = now + lease
      return { kind: "granted", token: holding.token, limit: entry.limit }
    }
    if (entry.used === 0) this.names.delete(name)
    const earliest = Math.min(...Array.from(entry.holdings.values(), ({ until }) => until), now + lease)
    return { kind: "busy", retryAfter: Math.ceil(earliest - now), limit: entry.limit }
  }

  renew({ holder, lease, name }: RenewRequest): boolean {
    const now = this.time.now()
    const holding = this.names.get(name)?.holdings.get(holder)
    if (holding === undefined || isOver(holding, now)) return false
    holding.until = now + lease
    return true
  }

  release({ holder, name }: Holder): Released {
    const entry = this.names.get(name)
    const holding = entry?.holdings.get(holder)
    if (entry === undefined || holding === undefined) return { held: false, watchers: 0 }
    drop(entry, holder)
    if (entry.used === 0) this.names.delete(name)
    const watchers = [...(this.watchers.get(name) ?? [])]
    for (const freed of watchers) freed()
    return { held: !isOver(holding, this.time.now()), watchers: watchers.length }
  }

  /** Calls a function whenever permits are given back. (That a lease is over is told to nobody: whoever was refused knows when.) */
  watch(name: string, freed: () => void): () => void {
    let all = this.watchers.get(name)
    if (all === undefined) this.watchers.set(name, (all = new Set()))
    // One function may watch twice.
    const watcher = () => freed()
    all.add(watcher)
    return () => {
      all.delete(watcher)
      if (all.size === 0 && this.watchers.get(name) === all) this.watchers.delete(name)
    }
  }

  /** How many names there is something about. For tests. */
  get size(): number {
    return this.names.size + this.watchers.size
  }

  /** Throws when an invariant does not hold. For tests. */
  check(): void {
    for (const [name, { holdings, limit, used }] of this.names) {
      let sum = 0
      for (const { permits, token } of holdings.values()) {
        sum += permits
        if (token > this.fence) throw new Error(`I3: the token ${token} is above ${this.fence}`)
      }
      if (sum !== used || used > limit) throw new Error(`I1: of ${limit} permits of ${name}, ${used} are held: ${sum}`)
      if (used === 0) throw new Error(`I2: nobody holds ${name}`)
    }
  }
}

const isOver = (holding: Holding | undefined, now: number): boolean => holding !== undefined && holding.until <= now

const drop = (entry: Entry, holder: string): void => {
  entry.used -= entry.holdings.get(holder)!.permits
  entry.holdings.delete(holder)
}

const dropOver = (entry: Entry, now: number): void => {
  for (const [holder, holding] of entry.holdings) if (isOver(holding, now)) drop(entry, holder)
}
