/**
 * The world of an exploration: its clock and its dice, which each run finds as the one before found them, and which stand in the place of
 * the platform's while it lasts.
 *
 * @internal
 */
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Random from "effect/Random"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { Scheduler } from "effect/Scheduler"
import type * as Supervisor from "effect/Supervisor"
import * as Utils from "effect/Utils"
import { VirtualClock } from "./clock.js"
import { virtualize } from "./seams.js"

let last: Promise<unknown> = Promise.resolve()

/** The platform has one clock to replace, so explorations that are begun together take place one after the other. */
export const alone = <A>(explore: () => Promise<A>): Promise<A> => {
  const result = last.then(explore)
  last = result.catch(() => {})
  return result
}

export class World {
  readonly clock = new VirtualClock()
  private readonly dice = new Utils.PCGRandom(0)
  private readonly thrown = this.dice.getState()
  private call: (callback: () => void) => void = () => {}
  private restore: (() => void) | undefined = undefined

  /** Once for all runs: an effect in each would be more operations, and each is a point. Metrics of fibers are not worth their time here. */
  private readonly runtime = Runtime.make({
    context: Runtime.defaultRuntime.context,
    fiberRefs: Effect.runSync(
      Effect.getFiberRefs.pipe(
        Effect.withClock(this.clock),
        Effect.withRandom(Object.assign(Random.make(0), { PRNG: this.dice }))
      )
    ),
    runtimeFlags: RuntimeFlags.disable(Runtime.defaultRuntime.runtimeFlags, RuntimeFlags.RuntimeMetrics)
  })

  /** Another run. `call` is handed the callbacks of timers. */
  begin(call: (callback: () => void) => void): void {
    this.clock.reset()
    this.dice.setState(this.thrown)
    this.call = call
  }

  /** Takes the place of the platform's clock, timers and dice, for plain code. */
  enter(): void {
    this.restore ??= virtualize(
      this.clock,
      () => this.dice.number(),
      (callback) => this.call(callback)
    )
  }

  leave(): void {
    this.restore?.()
    this.restore = undefined
  }

  /** Starts a fiber when its turn comes. A supervisor is told of each operation, its own and its children's. */
  fork<A, E>(
    effect: Effect.Effect<A, E>,
    scheduler: Scheduler,
    supervisor?: Supervisor.Supervisor<unknown>
  ): Fiber.RuntimeFiber<A, E> {
    const runtime =
      supervisor === undefined
        ? this.runtime
        : this.runtime.pipe(
            Runtime.setFiberRef(FiberRef.currentSupervisor, supervisor),
            Runtime.enableRuntimeFlag(RuntimeFlags.OpSupervision)
          )
    return Runtime.runFork(runtime, effect, { scheduler, immediate: false })
  }
}
