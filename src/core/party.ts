/**
 * One party of a barrier that a store keeps: it arrives, and from then on asks what has become of its generation. With each question its lease is
 * renewed.
 *
 * State: how it asks (a lookout of its own); whether it has arrived, as far as is known; whether the latest question failed; until when it may rely
 * on its lease; which generation it is of; and what has become of it.
 *
 * Invariants:
 *
 * - I1 What becomes of a party is decided once. From then on nothing is asked for it.
 * - I2 A question that failed is put once more, at once; an arrival under the same id, so one whose answer was lost does no harm. If an arrival
 *   fails again, nobody knows whether the party has arrived, and it has to be withdrawn.
 * - I3 A party that has arrived gives up when a question fails after its lease has ended, and not before. Until then the store may be out of reach.
 *
 * Transitions: `due`, `answered`, `failed`, `changed`, `cancel`. After each, `due` is to be called, and again at `lookout.wakeAt`.
 *
 * **Why a party that comes late asks once more**, other than the holder of a lock, whom its own clock tells that the lock is lost. It protects
 * nothing. The store knows for certain what has become of its generation, and it remembers that for those who ask late: also one whose process
 * was stopped hears whether the others have passed.
 *
 * @internal
 */
import { LeaseLost } from "./lease.js"
import * as lookout from "./lookout.js"
import type { Chain } from "./ticket.js"
import { Timer } from "./timers.js"

/** What a store says of a party. Each but the last says how many parties there are. */
export type Answer =
  | { readonly kind: "waiting"; readonly parties: number; readonly generation: number }
  | { readonly kind: "passed"; readonly parties: number; readonly index: number }
  | { readonly kind: "broken"; readonly parties: number }
  | { readonly kind: "unknown" }

/** What has become of a party. What it is that failed, only the port knows. */
export type Outcome =
  | { readonly kind: "passed"; readonly index: number }
  | { readonly kind: "broken" }
  | { readonly kind: "lost"; readonly loss: LeaseLost }
  | { readonly kind: "failed"; readonly failure: unknown }

/** A party is its own timer: whoever knows the time sets it for when the next question is due. */
export abstract class Party extends Timer {
  readonly lookout: lookout.State
  status: "new" | "arrived" | "over" = "new"
  hasFailed = false
  generation = 0
  /** When the question in flight was put. */
  sentAt = 0
  /** Until when it may rely on its lease. */
  deadline = Infinity
  outcome: Outcome | undefined = undefined

  constructor(
    readonly name: string,
    readonly id: string,
    readonly lease: number,
    poll: number
  ) {
    super()
    // Each question renews the lease: if some of them fail, others are in time.
    this.lookout = lookout.make(Math.min(poll, lease / 3))
  }
}

/** What is to be asked now. */
export const due = (party: Party, now: number): "arrive" | "renew" | undefined => {
  if (!lookout.due(party.lookout, now)) return undefined
  party.sentAt = now
  return party.status === "arrived" ? "renew" : "arrive"
}

/** The store has answered. */
export const answered = (party: Party, answer: Answer, now: number, random: number): Chain => {
  if (answer.kind === "waiting" && party.status !== "over") {
    party.status = "arrived"
    party.hasFailed = false
    party.generation = answer.generation
    party.deadline = party.sentAt + party.lease
    return lookout.answered(party.lookout, false, now, random)
  }
  decide(party, outcomeOf(party, answer))
  return lookout.answered(party.lookout, true, now, random)
}

const outcomeOf = (party: Party, answer: Answer): Outcome =>
  answer.kind === "passed"
    ? { kind: "passed", index: answer.index }
    : answer.kind === "unknown"
      ? { kind: "lost", loss: lost(party, "unknown to the store") }
      : { kind: "broken" }

const lost = ({ generation, name }: Party, reason: "expired" | "unknown to the store"): LeaseLost =>
  new LeaseLost(name, generation, reason)

const decide = (party: Party, outcome: Outcome): void => {
  if (party.status === "over") return
  party.status = "over"
  party.outcome = outcome
}

export interface Failed {
  readonly chain: Chain
  /** Nobody knows whether it has arrived, and nobody waits for it. */
  readonly isDoubtful: boolean
}

/** The store could not answer. */
export const failed = (party: Party, failure: unknown, now: number, random: number): Failed => {
  const { deadline, hasFailed, lookout: state, status } = party
  party.hasFailed = !hasFailed
  const isDoubtful = status === "new" && hasFailed
  if (isDoubtful) decide(party, { kind: "failed", failure })
  else if (status === "arrived" && deadline <= now) decide(party, { kind: "lost", loss: lost(party, "expired") })
  else if (!hasFailed) lookout.changed(state, now)
  return { chain: lookout.answered(state, party.outcome !== undefined, now, random), isDoubtful }
}

/** The store says that something has changed. */
export const changed = (party: Party, now: number): void => lookout.changed(party.lookout, now)

/** Its caller is gone. True: it may have arrived, and has to leave. */
export const cancel = (party: Party, ticket: lookout.Waiting): boolean => {
  lookout.cancel(party.lookout, ticket)
  if (party.status === "over") return false
  party.status = "over"
  return true
}

/** Throws when an invariant does not hold. For tests. */
export const check = ({ lookout: state, outcome, status }: Party): void => {
  lookout.check(state)
  if (outcome !== undefined && status !== "over") throw new Error(`I1: ${status}, and ${outcome.kind}`)
  if (status === "over" && state.wakeAt < Infinity) throw new Error("I1: it is over, and something is asked")
}
