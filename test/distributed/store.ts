/** A store of leases in memory that does not answer, or fails, when a test wants it to. */
import { Effect } from "effect"
import type { LeaseStore } from "effect-concurrency/distributed"
import { StoreError } from "effect-concurrency/promise/redis"
import { MemoryLeases } from "../../src/core/memoryLeases.js"
import { timekeeper } from "../../src/internal/timer.js"

export class FakeStore implements LeaseStore.LeaseStoreShape {
  readonly log: Array<string> = []
  /** Which operations fail, and which are never answered. */
  readonly failing = new Set<string>()
  readonly hanging = new Set<string>()
  /** Who holds something: the latest request of each name. */
  readonly requests: Array<LeaseStore.AcquireRequest> = []
  /** What every operation does before, and after. */
  pause: Effect.Effect<void> = Effect.void
  watching = 0

  constructor(readonly leases: MemoryLeases) {}

  /** On the clock of where it is made. */
  static readonly make = Effect.map(timekeeper, (time) => new FakeStore(new MemoryLeases(time)))

  private ask<A>(operation: string, f: () => A): Effect.Effect<A, StoreError> {
    return Effect.suspend((): Effect.Effect<A, StoreError> => {
      this.log.push(operation)
      if (this.hanging.has(operation)) return Effect.never
      if (this.failing.has(operation)) return Effect.fail(new StoreError(`${operation}: down`, { operation }))
      return Effect.zipRight(this.pause, Effect.zipLeft(Effect.sync(f), this.pause))
    })
  }

  readonly acquire = (request: LeaseStore.AcquireRequest) =>
    this.ask("acquire", () => {
      this.requests.push(request)
      return this.leases.acquire(request)
    })

  readonly renew = (request: LeaseStore.RenewRequest) => this.ask("renew", () => this.leases.renew(request))

  readonly release = (request: LeaseStore.Holder) => this.ask("release", () => this.leases.release(request))

  readonly watch = (name: string, onFreed: () => void) =>
    Effect.asVoid(
      Effect.acquireRelease(
        this.ask("watch", () => {
          this.watching++
          return this.leases.watch(name, onFreed)
        }),
        (stop) =>
          Effect.sync(() => {
            this.watching--
            stop()
          })
      )
    )

  /** What is held is given back behind the back of its holder. */
  forget(): void {
    for (const { holder, name } of this.requests) this.leases.release({ name, holder })
  }

  count(operation: string): number {
    return this.log.filter((each) => each === operation).length
  }

  /** Throws when somebody holds something. */
  isEmpty(): void {
    this.leases.check()
    if (this.leases.size > 0) throw new Error("something is held, or watched")
  }
}
