/**
 * What a circuit breaker remembers of the calls that have ended, and when that is too much.
 *
 * State: how many calls count, and how many of them failed; and, by the rule, what it takes to forget: nothing for failures in a row; for
 * a number of calls, a ring with one outcome each; for a time, a list of slots. A slot has all outcomes of a thousandth of that time, and
 * the instant of the first. So there are a thousand and one slots at most, however many calls there are.
 *
 * Invariants:
 *
 * - I1 `failures` is at most `calls`, and both are what a list of all that counts would add up to.
 * - I2 Consecutive: what counts are the failures since the last success.
 * - I3 Count: what counts are the last `size` outcomes.
 * - I4 Time: nothing counts that is `window` milliseconds old, or older. All counts that is younger by more than a thousandth of it.
 * - I5 Time: slots are in order of their instants, the first of which still counts, and there are at most 1,001.
 *
 * Transitions: `record`, `forget` (what is too old by now), `clear`; `load` what was saved. Recording takes constant time: a slot that is
 * forgotten was made by a record of its own.
 *
 * @internal
 */
import { expect, integer, number, oneOf, record, refusal } from "./arguments.js"

/** When a breaker opens. Durations are milliseconds here. */
export type Trip = Consecutive | Count | Time

/**
 * After so many failures in a row.
 *
 * @since 0.1.0
 */
export interface Consecutive {
  readonly kind: "consecutive"
  /** An integer, 1 or more. */
  readonly failures: number
}

/**
 * When too many of the last calls have failed.
 *
 * @since 0.1.0
 */
export interface Count {
  readonly kind: "count"
  /** How many calls count: an integer from 1 to 1,000,000. It takes a byte for each. */
  readonly size: number
  /** Which part of them has to fail: more than 0, and at most 1. */
  readonly rate: number
  /** With fewer calls than this it stays closed: an integer from 1 to the size. Default: the size. */
  readonly minimum?: number | undefined
}

/**
 * When too many of the calls of the last time have failed.
 *
 * @since 0.1.0
 */
export interface Time {
  readonly kind: "time"
  /** How many milliseconds a call counts after its end: finite, and more than 0. */
  readonly window: number
  /** Which part of the calls has to fail: more than 0, and at most 1. */
  readonly rate: number
  /** With fewer calls than this it stays closed: an integer, 1 or more. Default 10. */
  readonly minimum?: number | undefined
}

/**
 * What counts, as data that can be saved: the number of failures in a row; of the last calls, the oldest first, `"1"` for each that
 * failed and `"0"` for each that did not; or, for a time, instants (milliseconds since 1970), each with a number of calls, and how many
 * of them failed.
 *
 * @since 0.1.0
 */
export type Saved =
  | { readonly kind: "consecutive"; readonly failures: number }
  | { readonly kind: "count"; readonly outcomes: string }
  | { readonly kind: "time"; readonly slots: ReadonlyArray<readonly [at: number, calls: number, failures: number]> }

export abstract class Outcomes {
  calls = 0
  failures = 0

  /** Whether time has to do with it: if not, any `now` will do. */
  readonly timed: boolean = false

  abstract readonly tripped: boolean
  abstract record(now: number, failed: boolean): void
  /** `shift` is from the clock's time to that of the calendar. */
  abstract save(shift: number): Saved
  /** Takes over what was saved, and checked, when the rule is of the same kind; otherwise nothing. Nothing is there yet. */
  abstract load(saved: Saved, now: number, shift: number): void
  abstract check(): void

  forget(_now: number): void {}

  clear(): void {
    this.calls = 0
    this.failures = 0
  }
}

class InARow extends Outcomes {
  constructor(private readonly most: number) {
    super()
  }

  get tripped(): boolean {
    return this.failures >= this.most
  }

  record(_now: number, failed: boolean): void {
    this.calls = this.failures = failed ? this.failures + 1 : 0
  }

  save(): Saved {
    return { kind: "consecutive", failures: this.failures }
  }

  load(saved: Saved): void {
    if (saved.kind === "consecutive") this.calls = this.failures = saved.failures
  }

  check(): void {
    if (this.calls !== this.failures) throw new Error(`I2: ${this.calls} calls for ${this.failures} failures`)
  }
}

/** Not a product: of 100 calls, 55 are a rate of 0.55, but 0.55 × 100 is more than 55. */
const isTooMany = ({ calls, failures }: Outcomes, rate: number, minimum: number): boolean =>
  calls >= minimum && failures / calls >= rate

class OfTheLast extends Outcomes {
  private readonly ring: Uint8Array
  /** Where the next outcome goes; that of the oldest, when it is full. */
  private next = 0

  constructor(
    private readonly size: number,
    private readonly rate: number,
    private readonly minimum: number
  ) {
    super()
    this.ring = new Uint8Array(size)
  }

  get tripped(): boolean {
    return isTooMany(this, this.rate, this.minimum)
  }

  record(_now: number, failed: boolean): void {
    const { next, ring, size } = this
    if (this.calls < size) this.calls++
    else this.failures -= ring[next]!
    this.failures += ring[next] = failed ? 1 : 0
    this.next = next + 1 < size ? next + 1 : 0
  }

  override clear(): void {
    super.clear()
    this.next = 0
  }

  private outcomes(): ReadonlyArray<number> {
    const { calls, next, ring, size } = this
    return Array.from({ length: calls }, (_, index) => ring[(next - calls + index + size) % size]!)
  }

  save(): Saved {
    return { kind: "count", outcomes: this.outcomes().join("") }
  }

  load(saved: Saved): void {
    if (saved.kind === "count") for (const outcome of saved.outcomes) this.record(0, outcome === "1")
  }

  check(): void {
    const { calls, failures, size } = this
    const sum = this.outcomes().reduce((sum, outcome) => sum + outcome, 0)
    if (sum !== failures) throw new Error(`I1: ${failures} failures, and ${sum} in the ring`)
    if (calls > size) throw new Error(`I3: ${calls} calls of ${size}`)
  }
}

class Slot {
  calls = 0
  failures = 0
  next: Slot | undefined = undefined

  constructor(readonly at: number) {}
}

/** How many slots a window has. */
const resolution = 1_000

class OfTheLastTime extends Outcomes {
  override readonly timed = true
  private first: Slot | undefined = undefined
  /** Means nothing when there is no first. */
  private last: Slot | undefined = undefined

  constructor(
    private readonly window: number,
    private readonly rate: number,
    private readonly minimum: number
  ) {
    super()
  }

  get tripped(): boolean {
    return isTooMany(this, this.rate, this.minimum)
  }

  record(now: number, failed: boolean): void {
    this.forget(now)
    this.add(now, 1, failed ? 1 : 0)
  }

  private add(at: number, calls: number, failures: number): void {
    let slot = this.first && this.last!
    if (slot === undefined) slot = this.first = this.last = new Slot(at)
    else if (at - slot.at >= this.window / resolution) slot = this.last = slot.next = new Slot(at)
    slot.calls += calls
    slot.failures += failures
    this.calls += calls
    this.failures += failures
  }

  override forget(now: number): void {
    let { first } = this
    // The instant of a slot is that of its oldest outcome, so that none counts for too long.
    for (; first !== undefined && first.at + this.window <= now; first = first.next) {
      this.calls -= first.calls
      this.failures -= first.failures
    }
    this.first = first
  }

  override clear(): void {
    super.clear()
    this.first = undefined
  }

  private slots(): ReadonlyArray<Slot> {
    const slots: Array<Slot> = []
    for (let slot = this.first; slot !== undefined; slot = slot.next) slots.push(slot)
    return slots
  }

  save(shift: number): Saved {
    return { kind: "time", slots: this.slots().map(({ at, calls, failures }) => [at + shift, calls, failures]) }
  }

  load(saved: Saved, now: number, shift: number): void {
    if (saved.kind !== "time") return
    // Somebody may have set the calendar back since: what is from the future is from now.
    for (const [at, calls, failures] of saved.slots) this.add(Math.min(at - shift, now), calls, failures)
    this.forget(now)
  }

  check(): void {
    const slots = this.slots()
    const sum = (of: "calls" | "failures") => slots.reduce((sum, slot) => sum + slot[of], 0)
    if (sum("calls") !== this.calls || sum("failures") !== this.failures)
      throw new Error(
        `I1: the slots have ${sum("calls")} and ${sum("failures")}, not ${this.calls} and ${this.failures}`
      )
    if (slots.length > resolution + 1) throw new Error(`I5: ${slots.length} slots`)
    if (slots.some(({ at }, index) => index > 0 && at <= slots[index - 1]!.at))
      throw new Error("I5: slots out of order")
  }
}

/** Checks a rule, and makes a memory for it. */
export const make = (where: string, trip: Trip): Outcomes => {
  expect(typeof trip === "object" && trip !== null, where, "trip", "an object", trip)
  const { kind } = trip
  oneOf(where, "kind", kind, ["consecutive", "count", "time"])
  if (kind === "consecutive") return new InARow(integer(where, "failures", trip.failures, 1))
  const isRate = typeof trip.rate === "number" && trip.rate > 0 && trip.rate <= 1
  expect(isRate, where, "rate", "more than 0, and at most 1", trip.rate, "number")
  if (kind === "count") {
    const { minimum = trip.size, rate, size } = trip
    integer(where, "size", size, 1, 1_000_000)
    return new OfTheLast(size, rate, integer(where, "minimum", minimum, 1, size))
  }
  const { minimum = 10, rate, window } = trip
  number(where, "window", window, 0)
  expect(window > 0 && window < Infinity, where, "window", "finite, and more than 0 milliseconds", window, "number")
  return new OfTheLastTime(window, rate, integer(where, "minimum", minimum, 1))
}

/** Checks what is to be loaded: it comes from outside. */
export const checkSaved = (where: string, saved: Saved): Saved => {
  record(where, saved)
  const { kind } = saved
  oneOf(where, "kind", kind, ["consecutive", "count", "time"])
  if (kind === "consecutive") integer(where, "failures", saved.failures, 0)
  else if (kind === "count") {
    const isText = typeof saved.outcomes === "string" && /^[01]*$/.test(saved.outcomes)
    expect(isText, where, "outcomes", `a text of "0" and "1"`, saved.outcomes, "string")
  } else {
    expect(Array.isArray(saved.slots), where, "slots", "an array", saved.slots)
    let last = -Infinity
    for (const slot of saved.slots) {
      if (!Array.isArray(slot)) throw refusal(where, "slots", "an array of arrays", slot)
      const [at, calls, failures] = slot
      const isLater = Number.isFinite(at) && at >= last
      expect(isLater, where, "slots", "in order of their instants", at, "number")
      integer(where, "calls of a slot", calls, 1)
      integer(where, "failures of a slot", failures, 0, calls)
      last = at
    }
  }
  return saved
}
