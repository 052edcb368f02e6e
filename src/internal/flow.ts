/**
 * The flow as a stream: fibers that ask the source and run the calls, as many as are worth having.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Stream from "effect/Stream"
import * as core from "../core/streaming.js"
import type { Chain } from "../core/ticket.js"
import { wake } from "../core/ticket.js"
import { fromPull, type Pull, toPull } from "./chunks.js"
import { forkDetached, interruptNow, isInterruptedOnly, onFiberExit, type RunningFiber, withFiber } from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { report } from "./report.js"

export type Call<A, B, E, R> = (item: A, index: number) => Effect.Effect<B | typeof core.Skip, E, R>

/** The results of a call for each item of a stream. */
export const flow = <A, E, R, B, E2, R2>(
  where: string,
  self: Stream.Stream<A, E, R>,
  call: Call<A, B, E2, R2>,
  make: () => core.State<A, B>
): Stream.Stream<B, E | E2, R | R2> =>
  fromPull(
    Effect.flatMap(Effect.sync(make), (state) =>
      Effect.flatMap(toPull(self), (source) => {
        const running = new Flow<A, E, R, B, E2, R2>(where, state, source, call)
        return Effect.as(
          Effect.addFinalizer(() => running.leave),
          running.pull
        )
      })
    )
  )

class Flow<A, E, R, B, E2, R2> {
  private readonly workers = new Set<RunningFiber<void, never>>()

  constructor(
    private readonly where: string,
    private readonly state: core.State<A, B>,
    private readonly source: Pull<A, E, R>,
    private readonly call: Call<A, B, E2, R2>
  ) {}

  /** The next result. One at a time: what a stream is given, it is done with as far as anybody can see. */
  readonly pull: Pull<B, E | E2, R | R2> = Effect.uninterruptibleMask((restore) => {
    const { state } = this
    if (core.ready(state)) {
      const result = core.take(state)
      wake(core.took(state))
      return Effect.as(this.hire(), [result])
    }
    const ticket = new FiberTicket<undefined, B | typeof core.End | core.Failed>(
      undefined,
      0,
      "the next result of a stream"
    )
    wake(core.request(state, ticket))
    const wait = park(
      restore,
      ticket,
      () => core.cancel(state, ticket),
      (result) => {
        if (result === core.End) return Effect.fail(Option.none<E | E2>())
        if (!(result instanceof core.Failed)) return Effect.succeed([result])
        // A stream keeps one failure of several.
        const [first, ...others] = result.errors as ReadonlyArray<Cause.Cause<E | E2>>
        return Effect.zipRight(
          Effect.forEach(others, (cause) => this.report("another call failed as well", cause), { discard: true }),
          Effect.failCause(Cause.map(first!, Option.some))
        )
      }
    )
    return Effect.zipRight(this.hire(), wait)
  })

  /** Interrupts what runs and waits for it. The source is closed after that, with its scope. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const { state } = this
    wake(core.stop(state))
    return Effect.flatMap(Fiber.interruptAll([...this.workers]), () => {
      const causes = state.failures.map(({ error }) => error as Cause.Cause<unknown>)
      return Effect.forEach(causes, (cause) => this.report("a call failed after its stream was left", cause), {
        discard: true
      })
    })
  })

  private report(message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return report({ where: this.where, name: undefined, message, cause })
  }

  /** Has another worker do what there is to do, as long as there is and another is to be had. For uninterruptible regions. */
  private hire(): Effect.Effect<void, never, R | R2> {
    const { state, workers } = this
    if (workers.size >= state.concurrency) return Effect.void
    const work = core.next(state)
    if (work === undefined) return Effect.void
    return Effect.flatMap(forkDetached(this.worker(work)), (fiber) => {
      workers.add(fiber)
      onFiberExit(fiber, () => workers.delete(fiber))
      return this.hire()
    })
  }

  /** A fiber that does one thing after the other. It is forked where nothing interrupts, and so starts even if it is interrupted before. */
  private worker(first: core.Work<A, B>): Effect.Effect<void, never, R | R2> {
    return Effect.suspend(() => {
      let work = first
      return Effect.whileLoop({
        while: () => true,
        body: () => this.perform(work),
        step: (next) => {
          work = next
        }
      })
    })
  }

  /** Does it, and gives what is to be done next. */
  private perform(work: core.Work<A, B>): Effect.Effect<core.Work<A, B>, never, R | R2> {
    const { state } = this
    if (work === core.Close) return this.after(core.closed(state))
    if (work === core.Ask) {
      return Effect.matchCauseEffect(Effect.interruptible(this.source), {
        onFailure: (cause) => this.after(this.sourceEnded(cause)),
        onSuccess: (items) => this.after(core.give(state, items))
      })
    }
    return Effect.matchCauseEffect(Effect.interruptible(Effect.suspend(() => this.call(work.item, work.index))), {
      onFailure: (cause) => {
        if (state.stopped && isInterruptedOnly(cause)) return this.after(core.drop(state, work))
        const chain = core.fail(state, work, cause)
        return Effect.zipRight(this.interruptOthers, this.after(chain))
      },
      onSuccess: (result) => this.after(core.complete(state, work, result))
    })
  }

  private sourceEnded(cause: Cause.Cause<Option.Option<E>>): Chain {
    const { state } = this
    if (state.stopped && isInterruptedOnly(cause)) return core.unanswered(state)
    if (cause._tag === "Fail" && Option.isNone(cause.error)) return core.endSource(state)
    return core.failSource(
      state,
      Cause.flatMap(cause, (error) => (Option.isNone(error) ? Cause.empty : Cause.fail(error.value)))
    )
  }

  /** Wakes, and finds something to do, for itself first; or waits for it. */
  private after(chain: Chain): Effect.Effect<core.Work<A, B>, never, R | R2> {
    const { state } = this
    wake(chain)
    const work = core.next(state)
    if (work !== undefined) return Effect.as(this.hire(), work)
    const ticket = new FiberTicket<undefined, core.Work<A, B>>(undefined, 0, "something to do for a stream")
    core.enqueueIdle(state, ticket)
    return park(Effect.interruptible, ticket, () => core.cancelIdle(state, ticket), Effect.succeed)
  }

  private readonly interruptOthers: Effect.Effect<void> = withFiber((self) => {
    for (const worker of this.workers) if (worker !== (self as unknown)) interruptNow(worker, self)
    return Effect.void
  })
}
