/**
 * A worker of a pool: how far it has got, and what it was sent.
 *
 * State: its phase; its jobs, in the order in which they were sent; where they stand on the board.
 *
 * Invariants:
 *
 * - I1 Every job that it has, has a slot of its own on the board; no other slot holds a number.
 * - I2 Those that are offered are the last of its jobs.
 *
 * Transitions: `put`, `drop`.
 *
 * @internal
 */
import type { Board } from "./board.js"
import * as board from "./board.js"
import type { Call } from "./job.js"

/** A worker, and what it was sent. */
export class Worker {
  phase: "starting" | "ready" | "retiring" | "gone" = "starting"
  /** What it was sent and has not answered, in that order. */
  readonly calls = new Map<number, Call>()
  /** How many of these are offered. They are the last. */
  offered = 0
  /** How many it has answered. */
  answered = 0
  /** Since when it has nothing to do. */
  idleSince = 0
  /** When it last answered, or was given something while it had nothing to do. */
  heardAt = 0
  /** By when it has to be ready. */
  startBy = Infinity
  /** Whether it is to go: it was told to, or was killed, or cannot be ended and is left behind. */
  going: "no" | "dismissed" | "killed" | "left" = "no"
  /** By when it has to have gone. */
  leaveBy = Infinity
  /** If it shares memory. */
  readonly board: Board | undefined = undefined
  private readonly slots: Array<number> = []

  constructor(
    readonly id: number,
    /** How many jobs it may have on a board; 0: it shares no memory. */
    places: number
  ) {
    if (places === 0) return
    this.board = board.make(places)
    for (let slot = places - 1; slot >= 0; slot--) this.slots.push(slot)
  }

  get running(): number {
    return this.calls.size - this.offered
  }

  put(call: Call, id: number): void {
    const job = call.request
    job.worker = this
    job.id = id
    if (this.board !== undefined) board.offer(this.board, (job.slot = this.slots.pop()!), id)
    this.calls.set(id, call)
  }

  drop(call: Call): void {
    const job = call.request
    this.calls.delete(job.id)
    job.worker = undefined
    if (this.board !== undefined) {
      board.clear(this.board, job.slot)
      this.slots.push(job.slot)
    }
  }
}

/** Throws when an invariant does not hold. For tests. */
export const check = (worker: Worker): void => {
  const calls = Array.from(worker.calls.values())
  if (worker.board !== undefined) {
    const slots = new Set(calls.map(({ request }) => request.slot))
    if (slots.size !== calls.length) throw new Error("I1: two jobs with one slot")
    board.check(worker.board, new Set(worker.calls.keys()))
  }
  const offered = calls.findIndex(({ request }) => request.phase === "offered")
  const last = offered < 0 ? [] : calls.slice(offered)
  if (last.length !== worker.offered)
    throw new Error(`I2: ${last.length} are the last, and ${worker.offered} are offered`)
}
