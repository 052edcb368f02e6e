/**
 * Schedules: what a run did other than the default, which is the order of the stock scheduler.
 *
 * Whenever a run could go on in more than one way it comes to a *point*. The ways are numbered: 0 is the default; then come the
 * reorderings (somebody else who is ready goes first), then the preemptions, then the interruptions. A schedule names the points at which another way
 * was taken. So the empty schedule is the run that production would make, and the size of a schedule is how far it is from that.
 *
 * @internal
 */
import { refusal } from "../core/arguments.js"

/**
 * How much the explorer takes the liberty to do. See `Explore.Options`.
 *
 * @since 0.1.0
 */
export type Model = "taskOrder" | "elastic" | "aggressive"

export const models: ReadonlyArray<Model> = ["taskOrder", "elastic", "aggressive"]

/** At this point, this way. */
export interface Deviation {
  readonly point: number
  readonly way: number
}

/** Who may be interrupted from outside: nobody, everybody with a name, or those named. */
export type Victims = boolean | ReadonlyArray<string>

/** All that decides how a scenario runs. */
export interface Schedule {
  readonly model: Model
  /** Whether promises that settle by themselves are waited for before each choice. */
  readonly promises: boolean
  readonly victims: Victims
  readonly deviations: ReadonlyArray<Deviation>
}

/** How many ways there are at a point, beside the default. */
interface Ways {
  readonly reorderings: number
  readonly preemptions: number
  readonly interruptions: number
}

/** Decides at each point. Three numbers rather than an object: this is asked at every operation of every fiber. */
export interface Chooser {
  choose(reorderings: number, preemptions: number, interruptions: number): number
}

/** A schedule as text, and back: `aggressive,interrupt=taker 14.1 20.2`. */
export const format = ({ deviations, model, promises, victims }: Schedule): string =>
  [
    [
      model,
      ...(promises ? ["promises"] : []),
      ...(victims === true ? ["interrupt"] : []),
      ...(Array.isArray(victims) ? [`interrupt=${victims.map(encodeURIComponent).join("|")}`] : [])
    ].join(","),
    ...deviations.map(({ point, way }) => `${point}.${way}`)
  ].join(" ")

export const parse = (where: string, text: string): Schedule => {
  const wrong = () => refusal(where, "replay", "a string that a finding printed", text)
  if (typeof text !== "string") throw wrong()
  const decode = (name: string) => {
    try {
      return decodeURIComponent(name)
    } catch {
      throw wrong()
    }
  }
  const [head = "", ...rest] = text.trim().split(/\s+/)
  const [model, ...flags] = head.split(",")
  if (!models.includes(model as Model)) throw wrong()
  let promises = false
  let victims: Victims = false
  for (const flag of flags) {
    if (flag === "promises") promises = true
    else if (flag === "interrupt") victims = true
    else if (flag.startsWith("interrupt=")) victims = flag.slice("interrupt=".length).split("|").map(decode)
    else throw wrong()
  }
  let last = -1
  const deviations = rest.map((word) => {
    const match = /^(\d+)\.([1-9]\d*)$/.exec(word)
    const point = Number(match?.[1])
    if (match === null || point <= last) throw wrong()
    last = point
    return { point, way: Number(match[2]) }
  })
  return { model: model as Model, promises, victims, deviations }
}

/** Follows a schedule and takes the default where that says nothing. */
export class Follow implements Chooser {
  private point = 0
  private next = 0
  /** Whether the schedule asked for what was not there: another run of the same scenario had more ways. */
  private strayed = false

  constructor(
    readonly deviations: ReadonlyArray<Deviation>,
    /** What the ways were at the last deviation when it was found, packed; undefined when that is not known. */
    private readonly expected: number | undefined,
    /** The ways at the points after the last deviation go here. */
    readonly after: Points
  ) {
    after.length = 0
  }

  choose(reorderings: number, preemptions: number, interruptions: number): number {
    const point = this.point++
    const { deviations, next } = this
    if (next === deviations.length) {
      this.after.push(pack(reorderings, preemptions, interruptions))
      return 0
    }
    const deviation = deviations[next]!
    if (point < deviation.point) return 0
    this.next++
    const last = this.next === deviations.length
    if (last && this.expected !== undefined && this.expected !== pack(reorderings, preemptions, interruptions)) {
      this.strayed = true
    }
    if (deviation.way <= reorderings + preemptions + interruptions) return deviation.way
    this.strayed = true
    return 0
  }

  /** Whether all deviations came to be. */
  get followed(): boolean {
    return !this.strayed && this.next === this.deviations.length
  }
}

/** The ways at one point after the other, packed. It is filled anew in each run. */
export class Points {
  private values = new Int32Array(64)
  length = 0

  push(ways: number): void {
    if (this.length === this.values.length) {
      const { values } = this
      this.values = new Int32Array(2 * values.length)
      this.values.set(values)
    }
    this.values[this.length++] = ways
  }

  at(index: number): number {
    return this.values[index]!
  }

  copy(): Int32Array {
    return this.values.slice(0, this.length)
  }
}

/** Ways of each kind in ten bits. More than 1,023 of a kind are not told apart, and nobody explores so many. */
export const pack = (reorderings: number, preemptions: number, interruptions: number): number =>
  (Math.min(reorderings, 1023) << 20) | (Math.min(preemptions, 1023) << 10) | Math.min(interruptions, 1023)

export const unpack = (ways: number): Ways => ({
  reorderings: ways >>> 20,
  preemptions: (ways >>> 10) & 1023,
  interruptions: ways & 1023
})
