/**
 * The arithmetic of a rate: how much of it is used, when so much more fits, what is left.
 *
 * `gcra`, the token bucket: up to `burst` units at once, and `limit` of them an interval come back, evenly spread. In any time `w` it gives
 * at most `burst + w / interval * limit`. `slidingWindow`: at most `limit` units in any interval, exactly, whenever it begins.
 *
 * State: of `gcra` a time, and the units taken since, with which the bucket empties: units are counted, and time is only ever computed from
 * the count, so nothing adds up to an error, however odd the rate and however long it goes on. Of `slidingWindow` a log of what was taken
 * when, each entry with all units up to it, so that a sum is a difference and a search need not walk.
 *
 * Invariants:
 *
 * - I1 `gcra`: `count` is an integer of 0 or more, and no more than the burst and what has come back since `base`, by now or, if the latest
 *   units are for a time ahead, by then.
 * - I2 `slidingWindow`: of what is in the log, no interval has more than the limit.
 * - I3 `slidingWindow`: in the log, times grow and totals do not shrink, and the last entry has units: what was given back whole leaves
 *   nothing.
 *
 * Transitions: `take` and `giveBack`. Units are taken at the time that `availableAt` says, which may lie ahead: they are counted from now
 * on, and nobody is granted any for a time before it. Nothing is asked for a time before that of an earlier call.
 *
 * @internal
 */
import { expect, integer, oneOf, record } from "./arguments.js"

const algorithms = ["slidingWindow", "gcra"] as const

export type Algorithm = (typeof algorithms)[number]

/** What a rate is. */
export interface Rate {
  readonly algorithm: Algorithm
  /** How many units an interval: an integer, 1 or more. */
  readonly limit: number
  /** The interval, in milliseconds. */
  readonly interval: number
  /** The most units at once. For a sliding window that is its limit. */
  readonly burst: number
}

/** How a rate is given. The interval is in milliseconds here. */
export interface Options {
  readonly limit: number
  readonly interval: number
  readonly burst?: number | undefined
  readonly algorithm?: Algorithm | undefined
}

export const fromOptions = (where: string, options: Options): Rate => {
  const {
    algorithm = options.burst === undefined ? "slidingWindow" : "gcra",
    burst,
    interval,
    limit
  } = record(where, options)
  integer(where, "limit", limit, 1)
  expect(interval > 0 && interval < Infinity, where, "interval", "a finite time above 0", interval, "number")
  oneOf(where, "algorithm", algorithm, algorithms)
  if (burst !== undefined) {
    integer(where, "burst", burst, 1)
    expect(algorithm === "gcra", where, "burst", 'given with the algorithm "gcra" only', burst, "number")
  }
  return { algorithm, limit, interval, burst: burst ?? limit }
}

/** What cannot fit at any time is refused, or it would wait for ever. */
export const checkCost = (where: string, { burst }: Rate, cost: number): number =>
  integer(where, "cost", cost, 0, burst)

/** What is needed to give units back. */
export interface Grant {
  readonly cost: number
  /** When it was taken. */
  readonly at: number
  /** What had been taken in all before, and with it. */
  readonly before: number
  readonly total: number
}

/** What is used of a rate. */
export abstract class Usage {
  constructor(readonly rate: Rate) {}

  /**
   * When so many units fit, after all that was taken: now, or the time at which they will if meanwhile nothing else is taken. More than fit
   * at once are taken as units that each go as soon as they can.
   */
  abstract availableAt(now: number, units: number): number

  /** Takes units at a time at which they fit, which may lie ahead of now. */
  abstract take(at: number, cost: number, now?: number): Grant

  /** Undoes a `take`, as far as that leaves the rate what it is. */
  abstract giveBack(now: number, grant: Grant): void

  /** How many units fit now. */
  abstract remaining(now: number): number

  /** When nothing is used any more. */
  abstract resetAt(now: number): number

  /** Throws when an invariant does not hold. For tests. */
  abstract check(now: number): void
}

class Gcra extends Usage {
  private base = -Infinity
  private count = 0
  /** The time of the latest units, the latest time of any, and how many there have been. */
  private at = -Infinity
  private until = -Infinity
  private total = 0

  /** When the bucket has regained so many units since the base. */
  private regained(units: number): number {
    const { interval, limit } = this.rate
    return this.base + (units * interval) / limit
  }

  availableAt(now: number, units: number): number {
    const { burst, interval, limit } = this.rate
    if (this.isFull(now)) return units <= burst ? now : now + ((units - burst) * interval) / limit
    return Math.max(now, this.regained(this.count + units - burst))
  }

  /** It has been full for a while. (When it is full just now the base stays: what is taken in time after time would add up roundings.) */
  private isFull(now: number): boolean {
    return this.regained(this.count) < now
  }

  take(at: number, cost: number): Grant {
    if (this.isFull(at)) {
      this.base = at
      this.count = 0
    }
    const before = this.total
    this.count += cost
    this.total += cost
    // Whoever takes nothing stands behind nobody: what others took before it can still be given back.
    if (cost > 0) this.at = at
    this.until = Math.max(this.until, at)
    return { cost, at, before, total: this.total }
  }

  /**
   * What was taken later than the grant might have found the bucket full without it: at worst all of that was taken at the latest time of
   * any. So it is never as if the bucket had been more than full. When nothing was, as in the tick of the grant, this is exact.
   */
  giveBack(now: number, { at, before, cost, total }: Grant): void {
    const { interval, limit } = this.rate
    const later = this.at === at ? 0 : this.total - total
    const from = later === 0 ? now : Math.max(now, this.until)
    const least = from + (later * interval) / limit
    if (this.regained(this.count - cost) >= least) this.count -= cost
    else if (this.regained(this.count) > least) {
      this.base = from
      this.count = later
    }
    // It was the latest, and all of it is undone: so the one before is the latest again.
    if (this.total === total && total - before === cost) this.total = before
  }

  remaining(now: number): number {
    const { burst, interval, limit } = this.rate
    const guess = Math.floor(((now - this.base) * limit) / interval) - this.count + burst
    let units = Math.max(0, Math.min(burst, guess))
    // The guess divides where `availableAt` multiplies, so it may be out by one.
    while (units > 0 && this.availableAt(now, units) > now) units--
    while (units < burst && this.availableAt(now, units + 1) <= now) units++
    return units
  }

  resetAt(now: number): number {
    return Math.max(now, this.regained(this.count))
  }

  check(now: number): void {
    const { burst } = this.rate
    const { count } = this
    if (!Number.isInteger(count) || count < 0) throw new Error(`I1: the count is ${count}`)
    const by = Math.max(now, this.until)
    if (count > burst && this.regained(count - burst) > by) throw new Error(`I1: ${count} units were taken by ${by}`)
  }
}

class SlidingWindow extends Usage {
  /** The log is from `first` to `end`; behind that is room for more. */
  private readonly times: Array<number> = []
  private readonly totals: Array<number> = []
  /** The first entry that is less than an interval old, and the total before it. */
  private first = 0
  private gone = 0
  private end = 0

  private get total(): number {
    return this.end > 0 ? this.totals[this.end - 1]! : this.gone
  }

  /** The time of the latest units, if it is ahead. */
  private latest(now: number): number {
    const { end, times } = this
    return end > this.first ? Math.max(now, times[end - 1]!) : now
  }

  /** Lets go of what has left the window. */
  private expire(now: number): void {
    const { end, times, totals } = this
    const { interval } = this.rate
    let { first } = this
    if (first === end || times[first]! + interval > now) return
    while (first < end && times[first]! + interval <= now) this.gone = totals[first++]!
    this.first = first
    if (first * 2 >= end) this.compact()
  }

  /** Moves the log to the front. (A splice would make an array of what goes, and shrink what is needed again at once.) */
  private compact(): void {
    const { first, times, totals } = this
    const size = this.end - first
    for (let index = 0; index < size; index++) {
      times[index] = times[first + index]!
      totals[index] = totals[first + index]!
    }
    this.first = 0
    this.end = size
    // The room that a burst once needed.
    if (times.length > 4 * size + 64) times.length = totals.length = 2 * size
  }

  /** The first entry from which on something holds that, once it does, holds for all that follow. */
  private find(holds: (index: number) => boolean): number {
    let low = this.first
    // Nearly always it is the first.
    for (let high = holds(low) ? low : this.end; low < high;) {
      const middle = (low + high) >> 1
      if (holds(middle)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** What is taken beyond a limit's worth follows it an interval later, unit by unit: so many rounds. */
  availableAt(now: number, units: number): number {
    this.expire(now)
    const { interval, limit } = this.rate
    const { gone, times, total, totals } = this
    // This one has to have left.
    const last = total + units - limit
    if (last <= gone) return this.latest(now)
    const rounds = Math.max(0, Math.ceil((last - total) / limit))
    const unit = last - rounds * limit
    const free = unit <= gone ? now : times[this.find((index) => totals[index]! >= unit)]! + interval
    return Math.max(free, this.latest(now)) + rounds * interval
  }

  take(at: number, cost: number, now = at): Grant {
    this.expire(now)
    const { end, times, totals } = this
    const before = this.total
    const total = before + cost
    if (end > this.first && times[end - 1] === at) totals[end - 1] = total
    else if (cost > 0) {
      times[end] = at
      totals[end] = total
      this.end = end + 1
    }
    return { cost, at, before, total }
  }

  giveBack(now: number, { at, cost }: Grant): void {
    this.expire(now)
    const { end, times, totals } = this
    // Nearly always it is the last.
    const found = times[end - 1] === at ? end - 1 : this.find((index) => times[index]! >= at)
    if (found < this.first || found >= end || times[found] !== at) return
    for (let index = found; index < end; index++) totals[index]! -= cost
    this.trim()
  }

  /** Lets go of entries at the end that have nothing any more: they would keep a key in use that is not. */
  private trim(): void {
    const { first, gone, totals } = this
    while (this.end > first && totals[this.end - 1] === (this.end - 1 > first ? totals[this.end - 2] : gone)) this.end--
  }

  remaining(now: number): number {
    this.expire(now)
    return this.latest(now) > now ? 0 : this.rate.limit - (this.total - this.gone)
  }

  resetAt(now: number): number {
    this.expire(now)
    return this.end === this.first ? now : this.times[this.end - 1]! + this.rate.interval
  }

  check(now: number): void {
    const { interval, limit } = this.rate
    this.expire(now)
    let from = this.first
    for (let index = this.first; index < this.end; index++) {
      const before = index === this.first ? this.gone : this.totals[index - 1]!
      if (this.totals[index]! < before) throw new Error(`I3: the totals shrink at ${index}`)
      if (index > this.first && this.times[index]! <= this.times[index - 1]!)
        throw new Error(`I3: the times do not grow`)
      if (index === this.end - 1 && this.totals[index] === before) throw new Error("I3: the last has no units")
      while (this.times[from]! + interval <= this.times[index]!) from++
      const used = this.totals[index]! - (from === this.first ? this.gone : this.totals[from - 1]!)
      if (used > limit) throw new Error(`I2: ${used} units in one interval`)
    }
  }
}

/**
 * How long it takes at least until so many units have gone, of which some can go at once, if the rest follows as the rate has it: for those
 * who do not see what is used.
 */
export const spread = ({ algorithm, interval, limit }: Rate, units: number, atOnce: number): number =>
  algorithm === "gcra"
    ? (Math.max(0, units - atOnce) * interval) / limit
    : Math.max(0, Math.ceil(units / limit) - 1) * interval

export const make = (rate: Rate): Usage => (rate.algorithm === "gcra" ? new Gcra(rate) : new SlidingWindow(rate))

/** What was decided about a request, and how the rate stands after it. Times are milliseconds from now. */
export interface Decision {
  readonly allowed: boolean
  /** How many units more could be had now. */
  readonly remaining: number
  /** When it can be asked again with success; 0 when it was allowed. */
  readonly retryAfter: number
  /** When nothing is used any more. */
  readonly resetAfter: number
}

/**
 * Takes units if they fit, or says when they will; `grant` is there when they did. `ahead` units go first: with any, nothing is left for
 * who comes now.
 */
export const decide = (
  usage: Usage,
  now: number,
  cost: number,
  ahead: number | undefined
): { readonly decision: Decision; readonly grant: Grant | undefined } => {
  const at = usage.availableAt(now, cost + (ahead ?? 0))
  const grant = at <= now && ahead === undefined ? usage.take(now, cost) : undefined
  const decision = Object.freeze({
    allowed: grant !== undefined,
    remaining: ahead === undefined ? usage.remaining(now) : 0,
    retryAfter: grant === undefined ? at - now : 0,
    resetAfter: usage.resetAt(now) - now
  })
  return { decision, grant }
}

/** What somebody wants of a store. */
export interface Ask {
  readonly cost: number
  /** It is to be had now, or not at all: those behind do not wait for it. */
  readonly tries: boolean
}

/** What was decided about one who asked. */
export interface Decided extends Decision {
  /** In how many milliseconds what was granted can be used. */
  readonly delay: number
  readonly grant: Grant | undefined
}

/**
 * What a store does, here with a rate in memory: decides about all who ask, in their order. Who waits may be granted units for a time that
 * is no more than `ahead` milliseconds from now; when not even that is to be had he is refused, and nobody behind him is decided about.
 */
export const decideAll = (
  usage: Usage,
  now: number,
  asks: ReadonlyArray<Ask>,
  ahead: number
): ReadonlyArray<Decided> => {
  const all: Array<Decided> = []
  for (const { cost, tries } of asks) {
    const at = usage.availableAt(now, cost)
    const allowed = at <= now + (tries ? 0 : ahead)
    const grant = allowed ? usage.take(at, cost, now) : undefined
    all.push({
      allowed,
      delay: allowed ? at - now : 0,
      remaining: usage.remaining(now),
      retryAfter: allowed ? 0 : at - now,
      resetAfter: usage.resetAt(now) - now,
      grant
    })
    if (!allowed && !tries) break
  }
  return all
}
