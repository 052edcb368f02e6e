/** Stores of flags and of barriers in memory that do not answer, or fail, when a test wants them to. */
import { Effect, type Scope } from "effect"
import type { LatchStore, PartyStore } from "effect-concurrency/distributed"
import { StoreError } from "effect-concurrency/promise/redis"

interface Watched {
  watch(name: string, changed: () => void): () => void
}

export class FakeMeetings {
  readonly log: Array<string> = []
  /** Which operations fail, and which are never answered. */
  readonly failing = new Set<string>()
  readonly hanging = new Set<string>()
  /** What every operation does before, and after. */
  pause: Effect.Effect<void> = Effect.void
  watching = 0

  constructor(private readonly store: object & Watched) {}

  private ask<A>(operation: string, f: () => A): Effect.Effect<A, StoreError> {
    return Effect.suspend((): Effect.Effect<A, StoreError> => {
      this.log.push(operation)
      if (this.hanging.has(operation)) return Effect.never
      if (this.failing.has(operation)) return Effect.fail(new StoreError(`${operation}: down`, { operation }))
      return Effect.zipRight(this.pause, Effect.zipLeft(Effect.sync(f), this.pause))
    })
  }

  private shape(operations: ReadonlyArray<string>): any {
    const asked = operations.map((operation) => [
      operation,
      (request: unknown) => this.ask(operation, () => (this.store as any)[operation](request))
    ])
    return { ...Object.fromEntries(asked), watch: this.watch }
  }

  latchStore(): LatchStore.LatchStoreShape {
    return this.shape(["set", "clear", "pulse", "look"])
  }

  partyStore(): PartyStore.PartyStoreShape {
    return this.shape(["arrive", "renew", "withdraw", "reset", "abort", "isBroken"])
  }

  private readonly watch = (name: string, changed: () => void): Effect.Effect<void, StoreError, Scope.Scope> =>
    Effect.asVoid(
      Effect.acquireRelease(
        this.ask("watch", () => {
          this.watching++
          return this.store.watch(name, changed)
        }),
        (stop) =>
          Effect.sync(() => {
            this.watching--
            stop()
          })
      )
    )

  count(operation: string): number {
    return this.log.filter((each) => each === operation).length
  }
}
