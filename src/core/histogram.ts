/**
 * A histogram of durations: how often each came, to within an eighth, in a fixed number of buckets.
 *
 * Buckets are an eighth of a power of two wide, from a microsecond to some fifty days, as in Gil Tene's HdrHistogram with three bits: what
 * is recorded costs one addition, however much there is, and no percentile is off by more than 12.5 %.
 *
 * State: a count for each bucket, how many there are, their sum, and the longest.
 *
 * Invariants:
 *
 * - I1 The counts add up to the number of durations.
 *
 * Transitions: `record`.
 *
 * @internal
 */

const perOctave = 8
const octaves = 40

export interface State {
  readonly counts: Float64Array
  count: number
  sum: number
  max: number
}

/**
 * Durations, summed up. In milliseconds.
 *
 * @since 0.1.0
 */
export interface Durations {
  readonly count: number
  readonly mean: number
  /** Half took no longer; to within an eighth, like the others. */
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

export const make = (): State => ({ counts: new Float64Array(perOctave * octaves), count: 0, sum: 0, max: 0 })

/** In microseconds. What is longer is in the last bucket. */
const longest = 2 ** (octaves + 2) - 1

/** The bucket of a duration in milliseconds. */
const bucketOf = (milliseconds: number): number => {
  const micros = Math.min(longest, milliseconds * 1000)
  // Below an octave's width there is a bucket for each microsecond.
  if (!(micros >= perOctave)) return Math.max(0, Math.floor(micros)) || 0
  const octave = Math.floor(Math.log2(micros))
  const within = Math.floor((micros / 2 ** octave - 1) * perOctave)
  return (octave - 2) * perOctave + within
}

/** The longest duration of a bucket, in milliseconds. */
const upTo = (bucket: number): number => {
  if (bucket < perOctave) return (bucket + 1) / 1000
  const octave = Math.floor(bucket / perOctave) + 2
  return (2 ** octave * (1 + ((bucket % perOctave) + 1) / perOctave)) / 1000
}

export const record = (state: State, milliseconds: number): void => {
  state.counts[bucketOf(milliseconds)]!++
  state.count++
  state.sum += milliseconds
  if (milliseconds > state.max) state.max = milliseconds
}

/** What this share of all durations did not exceed. */
const percentile = (state: State, share: number): number => {
  let left = Math.ceil(state.count * share)
  for (let bucket = 0; bucket < state.counts.length; bucket++) {
    left -= state.counts[bucket]!
    if (left <= 0) return Math.min(state.max, upTo(bucket))
  }
  return state.max
}

export const summary = (state: State): Durations =>
  Object.freeze({
    count: state.count,
    mean: state.count === 0 ? 0 : state.sum / state.count,
    p50: state.count === 0 ? 0 : percentile(state, 0.5),
    p90: state.count === 0 ? 0 : percentile(state, 0.9),
    p99: state.count === 0 ? 0 : percentile(state, 0.99),
    max: state.max
  })

/** Throws when an invariant does not hold. For tests. */
export const check = ({ count, counts }: State): void => {
  const sum = counts.reduce((sum, each) => sum + each, 0)
  if (sum !== count) throw new Error(`I1: ${sum} in the buckets, of ${count}`)
}
