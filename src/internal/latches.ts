/**
 * Flags of a store among fibers: how the store is reached, and how fibers wait.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Look, Result } from "../core/latch.js"
import { checkLook, type Config, Latches, type Port, type SetRequest } from "../core/latches.js"
import { checkName } from "../core/naming.js"
import { dice } from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { asked, type Fail, type Forks, forks, StorePort, unchecked } from "./storePort.js"
import { timekeeper } from "./timer.js"

export interface Store<out E> {
  readonly set: (request: SetRequest) => Effect.Effect<void, E>
  readonly clear: (name: string) => Effect.Effect<void, E>
  readonly pulse: (name: string) => Effect.Effect<void, E>
  readonly look: (name: string) => Effect.Effect<Look, E>
  readonly watch: (name: string, onChanged: () => void) => Effect.Effect<void, E, Scope.Scope>
}

class LatchPort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: Store<unknown>,
    forks: Forks,
    random: () => number
  ) {
    super(where, (name, changed) => store.watch(name, changed), forks, random)
  }

  set(request: SetRequest, done: () => void, fail: Fail): void {
    this.ask(() => this.store.set(request), unchecked, done, fail)
  }

  clear(name: string, done: () => void, fail: Fail): void {
    this.ask(() => this.store.clear(name), unchecked, done, fail)
  }

  pulse(name: string, done: () => void, fail: Fail): void {
    this.ask(() => this.store.pulse(name), unchecked, done, fail)
  }

  look(name: string, answer: (look: Look) => void, fail: Fail): void {
    this.ask(() => this.store.look(name), checkLook, answer, fail)
  }
}

/** Flags over a store, on the clock of where they are made. */
export const make = (where: string, store: Store<unknown>, config: Config): Effect.Effect<Latches> =>
  Effect.map(
    Effect.all([timekeeper, forks, dice]),
    ([time, forks, random]) => new Latches(config, new LatchPort(where, store, forks, random), time)
  )

/** Waits until a flag is set. */
export const wait = (latches: Latches, where: string, name: string): Effect.Effect<void, any> =>
  Effect.uninterruptibleMask((restore) => {
    const line = latches.line(checkName(where, name))
    const ticket = new FiberTicket<undefined, Result>(undefined, 0, "a distributed event to be set")
    latches.enqueue(line, ticket)
    return park(
      restore,
      ticket,
      () => latches.cancel(line, ticket),
      (result): Effect.Effect<void, any> =>
        result.kind === "failed" ? Effect.failCause(result.failure as Cause.Cause<unknown>) : Effect.void
    )
  })

/** What is done to a flag, or asked of it. */
export const ask = <A>(
  latches: Latches,
  where: string,
  name: string,
  f: (port: Port, name: string, answer: (answer: A) => void, fail: Fail) => void
): Effect.Effect<A, any> =>
  Effect.suspend(() => {
    const full = latches.nameOf(checkName(where, name))
    return asked<A>("the store of a distributed event", (answer, fail) => f(latches.port, full, answer, fail))
  })
