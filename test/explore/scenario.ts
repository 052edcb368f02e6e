/** What the explorer is set on: scenarios as functions of the library, so that they run against ours, and against one with a bug in it. */
import type * as Effects from "effect-concurrency"
import type * as Distributed from "effect-concurrency/distributed"
import type * as Executor from "effect-concurrency/Executor"
import type * as Http from "effect-concurrency/HttpLimits"
import type * as Promises from "effect-concurrency/promise"
import type * as PromiseDistributed from "effect-concurrency/promise/distributed"
import type { Explore } from "effect-concurrency/testing"

export interface Library {
  readonly effect: typeof Effects
  readonly promise: typeof Promises
  readonly http: typeof Http
  readonly executor: typeof Executor
  readonly distributed: typeof Distributed
  readonly promiseDistributed: typeof PromiseDistributed
}

export interface Explored {
  /** The claim that it checks. */
  readonly name: string
  /** The module that it is about, by its stem. */
  readonly primitive: string
  /** Fails when the claim does not hold. It makes all that it uses. */
  readonly scenario: (library: Library) => Explore.Scenario
  /** What differs from the defaults for every model: who is interrupted, a smaller bound. */
  readonly options?: Omit<Explore.Options, "model" | "runs" | "time">
  /** The models it is run under. Default: all three. (Plain promises have no operations to preempt at: `["taskOrder"]`.) */
  readonly models?: ReadonlyArray<Explore.Model>
}
