/**
 * A budget of retries that callers share: a bucket of tokens. Each request puts a part of one in, each retry takes one out. A retry that does
 * not come about puts it back.
 *
 * State: how much is in the bucket, and how many requests and retries there were. It is counted in millionths, in integers: ten times 0.1
 * is 1.
 *
 * Invariants:
 *
 * - I1 The bucket holds neither less than nothing nor more than `burst` tokens.
 * - I2 There were never more retries than `burst`, and `ratio` for each request.
 *
 * Transitions: `request`, `take`, `giveBack`.
 *
 * @internal
 */
import { expect, integer, record } from "./arguments.js"

export const TypeId = "~effect-concurrency/RetryBudget"

export type TypeId = typeof TypeId

export interface Options {
  /** How many retries each request allows, on average: a number of 0 or more, counted in millionths. Default 0.1. */
  readonly ratio?: number | undefined
  /** How many retries may come at once, before the ratio counts: an integer, 0 or more. Default 10. */
  readonly burst?: number | undefined
}

export interface State {
  readonly ratio: number
  readonly burst: number
  /** Millionths of a token. */
  tokens: number
  requests: number
  retries: number
  refused: number
}

const one = 1_000_000

export const make = (where: string, options: Options): State => {
  const { burst = 10, ratio = 0.1 } = record(where, options)
  integer(where, "burst", burst, 0, Number.MAX_SAFE_INTEGER / one)
  const allowed = "a number from 0 to 1000"
  expect(typeof ratio === "number" && ratio >= 0 && ratio <= 1000, where, "ratio", allowed, ratio, "number")
  return { ratio, burst, tokens: burst * one, requests: 0, retries: 0, refused: 0 }
}

/** There is a new request, which may have to be retried. */
export const request = (state: State): void => {
  state.requests++
  state.tokens = Math.min(state.burst * one, state.tokens + Math.round(state.ratio * one))
}

/** A retry, if there is a token for it. */
export const take = (state: State): boolean => {
  if (state.tokens < one) {
    state.refused++
    return false
  }
  state.tokens -= one
  state.retries++
  return true
}

/** The retry that a token was taken for is not made after all. What has come in since may have filled the bucket. */
export const giveBack = (state: State): void => {
  state.retries--
  state.tokens = Math.min(state.burst * one, state.tokens + one)
}

export interface Stats {
  /** How many retries could be made now. */
  readonly available: number
  /** How many requests there were. */
  readonly requests: number
  /** How many retries. */
  readonly retries: number
  /** How often a retry was refused. */
  readonly refused: number
}

export const stats = ({ refused, requests, retries, tokens }: State): Stats =>
  Object.freeze({ available: Math.floor(tokens / one), requests, retries, refused })

/** Throws when an invariant does not hold. For tests. */
export const check = ({ burst, ratio, requests, retries, tokens }: State): void => {
  if (!Number.isInteger(tokens) || tokens < 0 || tokens > burst * one) throw new Error(`I1: it holds ${tokens}`)
  if (retries * one > burst * one + requests * Math.round(ratio * one))
    throw new Error(`I2: ${retries} retries for ${requests} requests`)
}
