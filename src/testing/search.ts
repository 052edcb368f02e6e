/**
 * Which schedules to try, in which order. A strategy knows nothing of fibers: it has an `attempt`, which runs the scenario under a chooser
 * and says whether that failed.
 *
 * @internal
 */
import * as FastCheck from "effect/FastCheck"
import * as Utils from "effect/Utils"
import type { Chooser, Deviation } from "./schedule.js"
import { Follow, Points, unpack } from "./schedule.js"

/**
 * Runs the scenario once. Says whether that is a finding: at once where it can, since plain code that goes on between two runs would find
 * the clock replaced.
 */
export type Attempt = (chooser: Chooser) => boolean | Promise<boolean>

export interface Limits {
  /** Preemptions in a schedule. Reorderings are not limited. */
  readonly bound: number
  /** Interruptions from outside in a schedule. */
  readonly interruptions: number
  readonly seed: number
  /** How many schedules may still be run. 0 when the time is over. */
  readonly left: () => number
}

export interface Found {
  /** The failing schedule, if there is one. */
  readonly deviations: ReadonlyArray<Deviation> | undefined
  /** Whether every schedule within the limits was run. */
  readonly complete: boolean
  /** The scenario had other ways at the same points than when it ran before. */
  readonly strayed?: boolean
}

/** Goes on from the schedule without a deviation, which was run, had these points, and did not fail. */
export type Strategy = (attempt: Attempt, limits: Limits, points: Points) => Promise<Found>

// ---------------------------------------------------------------------------------------------------------------------- exhaustive

/** A schedule that was run, and where it can be left. */
class Node {
  /** The ways at each point after the last deviation, packed. */
  private readonly after: Int32Array
  /** How many schedules leave this one. */
  readonly children: number

  constructor(
    readonly deviations: ReadonlyArray<Deviation>,
    /** What is left of the limits. */
    readonly preemptions: number,
    readonly interruptions: number,
    points: Points
  ) {
    let count = 0
    for (let index = 0; index < points.length; index++) count += this.open(points.at(index))
    this.children = count
    this.after = count === 0 ? nowhere : points.copy()
  }

  /** How many ways may be taken at a point. */
  private open(packed: number): number {
    const { interruptions, preemptions, reorderings } = unpack(packed)
    return reorderings + (this.preemptions > 0 ? preemptions : 0) + (this.interruptions > 0 ? interruptions : 0)
  }

  *[Symbol.iterator](): Generator<Child> {
    const first = (this.deviations.at(-1)?.point ?? -1) + 1
    for (let index = 0; index < this.after.length; index++) {
      const packed = this.after[index]!
      if (this.open(packed) === 0) continue
      const ways = unpack(packed)
      const all = ways.reorderings + ways.preemptions + ways.interruptions
      for (let way = 1; way <= all; way++) {
        const interrupts = way > ways.reorderings + ways.preemptions
        const preempts = !interrupts && way > ways.reorderings
        const preemptions = this.preemptions - (preempts ? 1 : 0)
        const interruptions = this.interruptions - (interrupts ? 1 : 0)
        if (preemptions < 0 || interruptions < 0) continue
        yield { deviations: [...this.deviations, { point: first + index, way }], packed, preemptions, interruptions }
      }
    }
  }
}

/** A schedule that was not run yet. */
interface Child {
  readonly deviations: ReadonlyArray<Deviation>
  /** The ways at its last point. */
  readonly packed: number
  readonly preemptions: number
  readonly interruptions: number
}

const nowhere = new Int32Array(0)

/**
 * All schedules, the smallest first: the one without a deviation, then those with one, and so on. A schedule's children deviate from it
 * once more, later than it does itself, so none is run twice, and the first that fails is among the smallest that do. That is the idea of
 * preemption bounding (Musuvathi and Qadeer, 2007), with iteration over all deviations. When a level has more schedules
 * than may be run, a sample of it is, and the level is gone through in no order, should the time be over before: the early ones alone would
 * all deviate at the beginning.
 */
export const exhaustive: Strategy = (attempt, limits, points) => smallestFirst(attempt, limits, points, Infinity)

const smallestFirst = async (attempt: Attempt, limits: Limits, points: Points, size: number): Promise<Found> => {
  const dice = new Utils.PCGRandom(limits.seed)
  let level = [new Node([], limits.bound, limits.interruptions, points)]
  const after = new Points()
  let complete = true
  for (let depth = 0; depth < size && level.length > 0; depth++) {
    let candidates = level.reduce((sum, { children }) => sum + children, 0)
    const next = new Sample(dice)
    for (const node of shuffled(level, dice)) {
      for (const child of node) {
        const left = limits.left()
        if (left <= 0) return { deviations: undefined, complete: false }
        // Selection sampling: each of the candidates has the same chance.
        const skipped = candidates > left && dice.number() * candidates > left
        candidates--
        if (skipped) {
          complete = false
          continue
        }
        const { deviations } = child
        const follow = new Follow(deviations, child.packed, after)
        const outcome = attempt(follow)
        const failed = typeof outcome === "boolean" ? outcome : await outcome
        if (!follow.followed) return { deviations, complete: false, strayed: true }
        if (failed) return { deviations, complete: false }
        next.add(new Node(deviations, child.preemptions, child.interruptions, after), left)
      }
    }
    complete &&= !next.thinned
    level = next.nodes
  }
  return { deviations: undefined, complete }
}

/** The nodes of the next level: all, or when they have many times the children that can still be run, some of them, by chance. */
class Sample {
  nodes: Array<Node> = []
  thinned = false
  private children = 0
  private chance = 1

  constructor(private readonly dice: Utils.PCGRandom) {}

  add(node: Node, left: number): void {
    if (node.children === 0) return
    if (this.chance < 1 && this.dice.number() >= this.chance) return
    this.nodes.push(node)
    this.children += node.children
    while (this.children > 8 * left && this.nodes.length > 1) {
      this.thinned = true
      this.chance /= 2
      this.nodes = this.nodes.filter(() => this.dice.number() < 0.5)
      this.children = this.nodes.reduce((sum, { children }) => sum + children, 0)
    }
  }
}

const shuffled = <A>(list: Array<A>, dice: Utils.PCGRandom): Array<A> => {
  for (let index = list.length - 1; index > 0; index--) {
    const other = dice.integer(index + 1)
    ;[list[index], list[other]] = [list[other]!, list[index]!]
  }
  return list
}

// ------------------------------------------------------------------------------------------------------------------------ by chance

/** Takes ways by itself, and writes down which. */
abstract class Deciding implements Chooser {
  readonly deviations: Array<Deviation> = []
  point = 0

  constructor(
    private preemptions: number,
    private interruptions: number
  ) {}

  /** A way, among so many of each kind; 0 for the default. */
  protected abstract decide(reorderings: number, preemptions: number, interruptions: number): number

  choose(reorderings: number, preemptions: number, interruptions: number): number {
    const may = this.preemptions > 0 ? preemptions : 0
    const way = this.decide(reorderings, may, this.interruptions > 0 ? interruptions : 0)
    const point = this.point++
    if (way === 0) return 0
    // Ways are counted among all of them, also those that are used up.
    const real = way > reorderings + may ? way + preemptions - may : way
    if (real > reorderings + preemptions) this.interruptions--
    else if (real > reorderings) this.preemptions--
    this.deviations.push({ point, way: real })
    return real
  }
}

class Rolling extends Deciding {
  constructor(
    private readonly dice: Utils.PCGRandom,
    /** The chance of a preemption or interruption at a point. */
    private readonly chance: number,
    limits: Limits
  ) {
    super(limits.bound, limits.interruptions)
  }

  protected decide(reorderings: number, preemptions: number, interruptions: number): number {
    const { dice } = this
    const rare = preemptions + interruptions
    if (rare > 0 && dice.number() < this.chance) return reorderings + 1 + dice.integer(rare)
    return reorderings > 0 ? dice.integer(reorderings + 1) : 0
  }
}

/**
 * Schedules by chance: any order of who is ready, and as many preemptions as the bound allows, spread over the whole run. What fails is made
 * smaller.
 */
export const random: Strategy = async (attempt, limits, points) => {
  const dice = new Utils.PCGRandom(limits.seed)
  let length = points.length
  if (length === 0) return { deviations: undefined, complete: true }
  while (limits.left() > 0) {
    const rolling = new Rolling(dice, (limits.bound + limits.interruptions) / Math.max(1, length), limits)
    const outcome = attempt(rolling)
    if (typeof outcome === "boolean" ? outcome : await outcome) {
      return { deviations: await smaller(attempt, limits, points, rolling.deviations), complete: false }
    }
    length = Math.max(length, rolling.point)
  }
  return { deviations: undefined, complete: false }
}

/**
 * Fast-check makes the schedules, as lists of how many points to let pass and which way to take then; and makes the failing one
 * smaller.
 */
export const fastCheck: Strategy = async (attempt, limits, points) => {
  if (points.length === 0) return { deviations: undefined, complete: true }
  const list = FastCheck.array(FastCheck.tuple(FastCheck.nat(points.length), FastCheck.nat(7)), { maxLength: 12 })
  let deviations: ReadonlyArray<Deviation> | undefined
  let broken: { readonly error: unknown } | undefined
  await FastCheck.check(
    FastCheck.asyncProperty(list, async (entries) => {
      // What is not a finding is an error of ours or of the options, and not to be made smaller.
      if (broken !== undefined || limits.left() <= 0) return true
      const listed = new Listed(entries, limits)
      try {
        if (!(await attempt(listed))) return true
      } catch (error) {
        broken = { error }
        return true
      }
      deviations = listed.deviations
      return false
    }),
    { numRuns: Math.max(1, limits.left()), seed: limits.seed }
  )
  if (broken !== undefined) throw broken.error
  return { deviations: deviations && (await smaller(attempt, limits, points, deviations)), complete: false }
}

class Listed extends Deciding {
  private wait: number
  private next = 0

  constructor(
    private readonly list: ReadonlyArray<readonly [gap: number, way: number]>,
    limits: Limits
  ) {
    super(limits.bound, limits.interruptions)
    this.wait = list[0]?.[0] ?? 0
  }

  protected decide(reorderings: number, preemptions: number, interruptions: number): number {
    const entry = this.list[this.next]
    const ways = reorderings + preemptions + interruptions
    if (entry === undefined || ways === 0 || this.wait-- > 0) return 0
    this.next++
    this.wait = this.list[this.next]?.[0] ?? 0
    return 1 + (entry[1] % ways)
  }
}

// ------------------------------------------------------------------------------------------------------------------- making smaller

/** A smaller schedule that fails too: without some of the deviations, or another one altogether, if there is one nearby. */
const smaller = async (
  attempt: Attempt,
  limits: Limits,
  points: Points,
  deviations: ReadonlyArray<Deviation>
): Promise<ReadonlyArray<Deviation>> => {
  const fewer = await leaveOut(attempt, limits, deviations)
  let runs = 2_000
  const counted: Attempt = (chooser) => {
    runs--
    return attempt(chooser)
  }
  const nearby = { ...limits, left: () => Math.min(limits.left(), runs) }
  const found = await smallestFirst(counted, nearby, points, fewer.length - 1)
  return found.strayed === true ? fewer : (found.deviations ?? fewer)
}

/** Leaves deviations out, one after the other, as long as it still fails. */
const leaveOut = async (
  attempt: Attempt,
  limits: Limits,
  deviations: ReadonlyArray<Deviation>
): Promise<ReadonlyArray<Deviation>> => {
  for (let index = deviations.length - 1; index >= 0; index--) {
    if (limits.left() <= 0) break
    const repeat = new Relaxed(
      deviations.filter((_, other) => other !== index),
      limits
    )
    if ((await attempt(repeat)) && repeat.deviations.length < deviations.length)
      return leaveOut(attempt, limits, repeat.deviations)
  }
  return deviations
}

/** Follows a schedule where it can: without one deviation, later ones may find fewer ways. What it did in the end is a schedule again. */
class Relaxed extends Deciding {
  private next = 0

  constructor(
    private readonly wanted: ReadonlyArray<Deviation>,
    limits: Limits
  ) {
    super(limits.bound, limits.interruptions)
  }

  protected decide(reorderings: number, preemptions: number, interruptions: number): number {
    const wanted = this.wanted[this.next]
    if (wanted === undefined || this.point < wanted.point) return 0
    this.next++
    return wanted.way <= reorderings + preemptions + interruptions ? wanted.way : 0
  }
}
