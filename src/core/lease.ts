/**
 * The life of one lease. A store gives something to a holder for a limited time; the holder renews that time while it works.
 *
 * State: what is held (its name and its token), how long one lease lasts, until when the holder may rely on it, when the next renewal is to
 * be sent, when the renewal in flight was sent, and whether the lease is held, ending (its release is in flight), over, or lost.
 *
 * Invariants:
 *
 * - I1 A lease is held at first, and then ending. From either it can become lost, and from ending also over. Both are for ever. Only a lease that
 *   is held is renewed.
 * - I2 The deadline is the moment at which the latest request that the store has granted was *sent*, plus the lease, less the margin. It
 *   never moves back.
 * - I3 While the lease is held, either one renewal is in flight, or the next one has its time; never both.
 * - I4 Once the deadline has passed, the next transition finds the lease lost, whatever an answer says that arrives late.
 *
 * Transitions: `due`, `renewed`, `failed`, `look`, `refused`, `ending`, `ended`, `end`. After each, `due` is to be called again at `wakeAt`. Those that
 * can find the lease lost give the loss, in the one step in which it is found: whoever listens is then to be told.
 *
 * **Why the deadline counts from the sending.** The store counts the lease from the moment at which it handles the request. The holder cannot
 * know that moment. But it lies after the sending, so what the holder counts ends first. The holder counts on its own monotonic clock, which
 * nobody sets: no two clocks are ever compared. (What stops the process also stops no such clock, so a holder that was stopped finds out
 * when it goes on. Only when a whole machine sleeps does its monotonic clock sleep as well, on most systems: then the next renewal finds out,
 * and the token protects the resource until then.)
 *
 * **Why there is a margin.** Two clocks that nobody sets still run at slightly different rates: a correct one is off by less than 0.1 %, and
 * 1 % of the lease is ample. And both sides count in steps: a store in whole milliseconds, and a timer may ring one early. That makes 2 ms
 * more.
 *
 * **Why a third of a lease.** A renewal is sent when a third of the lease has passed. When that one fails, there are two thirds left to try
 * again: a tenth of a lease later, or a little less. As this comes to a dozen times at most, the pauses need not grow.
 *
 * @internal
 */
import { expect } from "./arguments.js"
import { Timer } from "./timers.js"

/**
 * Why a lease was lost.
 *
 * - `"expired"`: the holder could not renew it in time. The store was out of reach, or the process did not run.
 * - `"taken"`: the store says that somebody else has it by now.
 * - `"unknown to the store"`: the store does not know it. Somebody else has had it, perhaps, or the store has lost its data.
 */
export type LossReason = "expired" | "taken" | "unknown to the store"

const because: Record<LossReason, string> = {
  expired: "it was not renewed in time",
  taken: "somebody else has it",
  "unknown to the store": "the store does not know it"
}

/**
 * What was held on a lease is not held any more, although its holder had not let go. What the holder did meanwhile may have happened at the same
 * time as what another one did. A resource that compares tokens has refused it.
 *
 * @since 0.1.0
 * @category errors
 */
export class LeaseLost extends Error {
  readonly _tag = "LeaseLost"
  override readonly name = "LeaseLost"

  constructor(
    /** What the lease was of: the name of a lock, say. (`name` is that of the error.) */
    readonly resource: string,
    /** The fencing token of the lease. */
    readonly token: number,
    readonly reason: LossReason
  ) {
    super(`the lease of ${JSON.stringify(resource)} with the token ${token} is lost: ${because[reason]}`)
  }
}

/** A lease is its own timer: whoever knows the time sets it for `wakeAt`. */
export abstract class Lease extends Timer {
  status: "held" | "ending" | "over" | "lost" = "held"
  /** Until when, on the holder's clock, the holder may rely on it. */
  deadline: number
  /** When the next renewal is to be sent. Infinity: one is in flight, or none is needed any more. */
  renewAt: number
  /** When the renewal in flight was sent. */
  sentAt: number | undefined = undefined
  loss: LeaseLost | undefined = undefined

  constructor(
    readonly name: string,
    readonly token: number,
    /** How long one lease lasts, in milliseconds. */
    readonly duration: number,
    /** When the request was sent that the store has granted. */
    sentAt: number
  ) {
    super()
    this.deadline = deadlineOf(duration, sentAt)
    this.renewAt = sentAt + duration / 3
  }
}

/** Below this, a pause in which nothing is wrong (garbage is collected, a packet is sent again) would lose the lease. */
export const shortest = 100

/** A day: a holder that dies keeps everybody waiting for so long. */
export const longest = 86_400_000

/** The length of a lease, if it is one that can be kept. A store counts whole milliseconds: what is beyond them is cut off. */
export const checkDuration = (where: string, milliseconds: number): number =>
  Math.floor(
    expect(
      milliseconds >= shortest && milliseconds <= longest,
      where,
      "lease",
      `from ${shortest} ms to a day (shorter ones could not be renewed in time)`,
      milliseconds,
      "number"
    )
  )

const deadlineOf = (duration: number, sentAt: number): number => sentAt + duration - (duration / 100 + 2)

/** What is to be done now: a renewal, which counts as sent at this moment; or to tell of the loss. */
export const due = (lease: Lease, now: number): "renew" | LeaseLost | undefined => {
  const loss = look(lease, now)
  if (loss !== undefined) return loss
  if (lease.renewAt > now) return undefined
  lease.renewAt = Infinity
  lease.sentAt = now
  return "renew"
}

/** The store has answered the renewal in flight. */
export const renewed = (lease: Lease, held: boolean, now: number): LeaseLost | undefined => {
  const loss = look(lease, now)
  if (lease.status !== "held") return loss
  if (!held) return refused(lease)
  const sentAt = lease.sentAt!
  lease.sentAt = undefined
  lease.deadline = Math.max(lease.deadline, deadlineOf(lease.duration, sentAt))
  lease.renewAt = sentAt + lease.duration / 3
  return undefined
}

/** The renewal in flight has failed: nobody knows what the store has done. A random number from 0 to 1 spreads those that failed together. */
export const failed = (lease: Lease, now: number, random: number): LeaseLost | undefined => {
  const loss = look(lease, now)
  if (lease.status !== "held") return loss
  lease.sentAt = undefined
  lease.renewAt = now + (lease.duration / 10) * (0.5 + random / 2)
  return undefined
}

/** Finds the lease lost if the deadline has passed. */
export const look = (lease: Lease, now: number): LeaseLost | undefined =>
  lease.status === "held" && lease.deadline <= now ? lose(lease, "expired") : undefined

/** The store says that the lease is not held. */
export const refused = (lease: Lease, reason: LossReason = "unknown to the store"): LeaseLost | undefined =>
  lease.status === "held" || lease.status === "ending" ? lose(lease, reason) : undefined

const lose = (lease: Lease, reason: LossReason): LeaseLost => {
  stop(lease, "lost")
  return (lease.loss = new LeaseLost(lease.name, lease.token, reason))
}

/** The holder lets go, or is gone: nothing is renewed from now on. (A renewal in flight may still be answered; nobody minds.) */
export const ending = (lease: Lease): void => {
  if (lease.status === "held") stop(lease, "ending")
}

/** The release was answered, or failed, which changes nothing: the lease ends by itself. */
export const ended = (lease: Lease): void => {
  if (lease.status === "ending") stop(lease, "over")
}

/** Both at once, for a holder who does not hear what became of the release. */
export const end = (lease: Lease): void => {
  ending(lease)
  ended(lease)
}

const stop = (lease: Lease, status: Exclude<Lease["status"], "held">): void => {
  lease.status = status
  lease.renewAt = Infinity
  lease.sentAt = undefined
}

/** When there is something to do next. */
export const wakeAt = (lease: Lease): number =>
  lease.status === "held" ? Math.min(lease.renewAt, lease.deadline) : Infinity

/** How many milliseconds the holder may rely on. */
export const remaining = (lease: Lease, now: number): number =>
  lease.status === "held" ? Math.max(0, lease.deadline - now) : 0

/** Throws when an invariant does not hold. For tests. */
export const check = (lease: Lease): void => {
  const { loss, renewAt, sentAt, status } = lease
  const isDue = renewAt < Infinity
  const isInFlight = sentAt !== undefined
  if ((status === "lost") !== (loss !== undefined)) throw new Error(`I1: ${status}, and the loss is ${loss}`)
  if (status !== "held" && (isDue || isInFlight)) throw new Error(`I1: ${status}, and renewed`)
  if (status === "held" && isDue === isInFlight) {
    throw new Error(`I3: the next renewal is due at ${renewAt}, and one was sent at ${sentAt}`)
  }
}
