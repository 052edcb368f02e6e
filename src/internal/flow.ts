/**
 * The flow as a stream: fibers that ask the source and run the calls, as many as are worth having.
 *
 * @internal
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as core from "../core/streaming.js"
import type { Chain } from "../core/ticket.js"
import { wake } from "../core/ticket.js"
import { fromPulled, type Pull, type Pulled, type Source, toPull } from "./chunks.js"
import { forkDetached, interruptNow, isInterruptedOnly, onFiberExit, type RunningFiber, withFiber } from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { report } from "./report.js"

export type Call<A, X, E, R> = (item: A, index: number) => Effect.Effect<X, E, R>

/** What the result of a call makes of its item. */
export type Select<A, B, X> = (item: A, result: X) => B | typeof core.Skip

/** The results of a call for each item of a stream. */
export const flow = <A, E, R, B, X, E2, R2>(
  where: string,
  self: Stream.Stream<A, E, R>,
  call: Call<A, X, E2, R2>,
  select: Select<A, B, X>,
  make: () => core.State<A, B>
): Stream.Stream<B, E | E2, R | R2> =>
  fromPulled(
    Effect.flatMap(Scope.make(), (scope) =>
      Effect.map(
        Scope.extend(toPull(self), scope),
        (source) => new Flow<A, E, R, B, X, E2, R2>(where, make(), scope, source, call, select)
      )
    ),
    // The source is closed when all who work for the flow have ended.
    ({ leave, scope }, exit) => Effect.zipRight(leave, Scope.close(scope, exit))
  )

class Flow<A, E, R, B, X, E2, R2> implements Pulled<B, E | E2, R | R2> {
  readonly workers = new Set<RunningFiber<void, never>>()

  constructor(
    readonly where: string,
    readonly state: core.State<A, B>,
    readonly scope: Scope.CloseableScope,
    readonly source: Source<A, E, R>,
    readonly call: Call<A, X, E2, R2>,
    readonly select: Select<A, B, X>
  ) {}

  /**
   * The next result, if it is ready and no fiber has to be forked for the room that it leaves. One at a time: what a stream is given, it is
   * done with as far as anybody can see.
   */
  readonly now = (): ReadonlyArray<B> | undefined => {
    const { state } = this
    if (!core.ready(state) || this.canHire()) return undefined
    const result = core.take(state)
    wake(core.took(state))
    wake(core.recruit(state))
    return [result]
  }

  readonly pull: Pull<B, E | E2, R | R2> = Effect.suspend(() => {
    const { state } = this
    if (!core.ready(state)) return this.wait
    const result = core.take(state)
    wake(core.took(state))
    return Effect.as(this.hire, [result])
  })

  private readonly wait: Pull<B, E | E2, R | R2> = Effect.uninterruptibleMask((restore) => {
    const { state } = this
    const ticket = new FiberTicket<undefined, B | typeof core.End | core.Failed>(
      undefined,
      0,
      "the next result of a stream"
    )
    wake(core.request(state, ticket))
    wake(core.recruit(state))
    const wait = park(
      restore,
      ticket,
      () => core.cancel(state, ticket),
      (result) => {
        if (result === core.End) return Effect.succeed(undefined)
        if (!(result instanceof core.Failed)) return Effect.succeed([result])
        // A stream keeps one failure of several.
        const [first, ...others] = result.errors as ReadonlyArray<Cause.Cause<E | E2>>
        return Effect.zipRight(
          Effect.forEach(others, (cause) => this.report("another call failed as well", cause), { discard: true }),
          Effect.failCause(first!)
        )
      }
    )
    return this.isShort() ? Effect.zipRight(this.hire, wait) : wait
  })

  /** Interrupts what runs and waits for it. The source is closed after that, with its scope. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() => {
    const { state } = this
    wake(core.stop(state))
    return Effect.flatMap(this.dismiss, () => {
      const causes = state.failures.map(({ error }) => error as Cause.Cause<unknown>)
      return Effect.forEach(causes, (cause) => this.report("a call failed after its stream was left", cause), {
        discard: true
      })
    })
  })

  /** One of those who are interrupted may just have called another. */
  private readonly dismiss: Effect.Effect<void> = Effect.suspend(() =>
    this.workers.size === 0 ? Effect.void : Effect.flatMap(Fiber.interruptAll([...this.workers]), () => this.dismiss)
  )

  private report(message: string, cause: Cause.Cause<unknown>): Effect.Effect<void> {
    return report({ where: this.where, name: undefined, message, cause })
  }

  /** Whether a fiber more is worth having. */
  isShort(): boolean {
    return this.canHire() && core.isShort(this.state)
  }

  private canHire(): boolean {
    const { state, workers } = this
    return !state.called && state.idle.size === 0 && workers.size < state.concurrency
  }

  /** Calls a worker that was not there before. It is forked where nothing interrupts, and so starts even if it is interrupted before. */
  readonly hire: Effect.Effect<void, never, R | R2> = Effect.uninterruptible(
    Effect.suspend(() => {
      const { state, workers } = this
      if (!this.isShort()) return Effect.void
      core.call(state)
      return Effect.map(forkDetached(new Worker(this).run), (fiber) => {
        workers.add(fiber)
        onFiberExit(fiber, () => workers.delete(fiber))
      })
    })
  )

  readonly interruptOthers: Effect.Effect<void> = withFiber((self) => {
    for (const worker of this.workers) if (worker !== (self as unknown)) interruptNow(worker, self)
    return Effect.void
  })
}

/**
 * A fiber that does one thing after the other. What it does is one interruptible loop, with one handler around it, rather than a handler
 * for each item: most calls succeed.
 */
class Worker<A, E, R, B, X, E2, R2> {
  /** What it has taken on, and has to give account of however it ends. */
  private work: core.Work<A, B> | undefined = undefined
  private idle: FiberTicket<undefined, undefined> | undefined = undefined
  private hires = false

  constructor(private readonly flow: Flow<A, E, R, B, X, E2, R2>) {}

  readonly run: Effect.Effect<void, never, R | R2> = Effect.suspend(() => {
    this.arrive()
    return Effect.matchCauseEffect(
      Effect.interruptible(Effect.whileLoop({ while: () => true, body: this.begin, step: this.end })),
      { onFailure: (cause) => this.ended(cause), onSuccess: () => Effect.void }
    )
  })

  private readonly begin = (): Effect.Effect<unknown, E2 | Option.Option<E>, R | R2> => {
    const { flow, work } = this
    this.hires = flow.isShort()
    if (this.hires) return flow.hire
    if (work === undefined) {
      this.idle = new FiberTicket(undefined, 0, "something to do for a stream")
      core.enqueueIdle(flow.state, this.idle)
      return this.idle.settlement
    }
    return typeof work === "symbol" ? flow.source : flow.call(work.item, work.index)
  }

  private readonly end = (result: unknown): void => {
    const { flow, hires, work } = this
    const { state } = flow
    if (hires) return
    if (work === undefined) return this.arrive()
    this.next(
      typeof work === "symbol"
        ? core.give(state, result as ReadonlyArray<A>)
        : core.complete(state, work, flow.select(work.item, result as X))
    )
  }

  private arrive(): void {
    this.idle = undefined
    core.arrive(this.flow.state)
    this.next(undefined)
  }

  /** Finds something to do, for itself first. To close the source is only said here: its scope is closed when the stream has ended. */
  private next(chain: Chain): void {
    const { state } = this.flow
    wake(chain)
    this.work = core.next(state)
    if (this.work === core.Close) {
      this.work = undefined
      wake(core.closed(state))
    }
    wake(core.recruit(state))
  }

  /** The source has ended or failed, a call has failed, or it was interrupted. In each case nothing is left for this fiber. */
  private ended(cause: Cause.Cause<E2 | Option.Option<E>>): Effect.Effect<void> {
    const { flow, idle, work } = this
    const { state } = flow
    const told = state.stopped && isInterruptedOnly(cause)
    if (idle !== undefined) this.next(core.cancelIdle(state, idle))
    else if (work === core.Ask) this.next(sourceEnded(state, told, cause as Cause.Cause<Option.Option<E>>))
    else if (typeof work === "object") {
      this.next(told ? core.drop(state, work) : core.fail(state, work, cause))
      if (!told) return flow.interruptOthers
    }
    return Effect.void
  }
}

const sourceEnded = <E>(state: core.State<any, any>, told: boolean, cause: Cause.Cause<Option.Option<E>>): Chain => {
  if (told) return core.unanswered(state)
  if (cause._tag === "Fail" && Option.isNone(cause.error)) return core.endSource(state)
  return core.failSource(
    state,
    Cause.flatMap(cause, (error) => (Option.isNone(error) ? Cause.empty : Cause.fail(error.value)))
  )
}
