/**
 * Barriers of a store among fibers: how the store is reached, and how fibers wait.
 *
 * @internal
 */
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { BrokenBarrier } from "../core/errors.js"
import type { Result } from "../core/lookout.js"
import { checkName } from "../core/naming.js"
import {
  type ArriveRequest,
  checkAnswer,
  checkBroken,
  type Config,
  Parties,
  type PartyRequest,
  type Port,
  type WithdrawRequest
} from "../core/parties.js"
import type { Answer, Outcome } from "../core/party.js"
import { dice } from "./effect.js"
import { FiberTicket, park } from "./park.js"
import { asked, type Fail, type Forks, forks, StorePort, unchecked } from "./storePort.js"
import { timekeeper } from "./timer.js"

export interface Store<out E> {
  readonly arrive: (request: ArriveRequest) => Effect.Effect<Answer, E>
  readonly renew: (request: PartyRequest) => Effect.Effect<Answer, E>
  readonly withdraw: (request: WithdrawRequest) => Effect.Effect<void, E>
  readonly reset: (name: string) => Effect.Effect<void, E>
  readonly abort: (name: string) => Effect.Effect<void, E>
  readonly isBroken: (name: string) => Effect.Effect<boolean, E>
  readonly watch: (name: string, onChanged: () => void) => Effect.Effect<void, E, Scope.Scope>
}

class PartyPort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: Store<unknown>,
    forks: Forks,
    random: () => number
  ) {
    super(where, (name, changed) => store.watch(name, changed), forks, random)
  }

  arrive(request: ArriveRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.arrive(request), checkAnswer, answer, fail)
  }

  renew(request: PartyRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.renew(request), checkAnswer, answer, fail)
  }

  withdraw(request: WithdrawRequest, done: () => void, fail: Fail): void {
    this.ask(() => this.store.withdraw(request), unchecked, done, fail)
  }

  reset(name: string, done: () => void, fail: Fail): void {
    this.ask(() => this.store.reset(name), unchecked, done, fail)
  }

  abort(name: string, done: () => void, fail: Fail): void {
    this.ask(() => this.store.abort(name), unchecked, done, fail)
  }

  isBroken(name: string, answer: (isBroken: boolean) => void, fail: Fail): void {
    this.ask(() => this.store.isBroken(name), checkBroken, answer, fail)
  }
}

/** Barriers over a store, on the clock of where they are made. */
export const make = (where: string, store: Store<unknown>, config: Config): Effect.Effect<Parties> =>
  Effect.map(
    Effect.all([timekeeper, forks, dice]),
    ([time, forks, random]) => new Parties(config, new PartyPort(where, store, forks, random), time)
  )

/** Arrives, and waits for the others. */
export const wait = (parties: Parties, where: string, name: string): Effect.Effect<number, any> =>
  Effect.uninterruptibleMask((restore) => {
    const arrival = parties.arrival(checkName(where, name))
    const ticket = new FiberTicket<undefined, Result>(undefined, 0, "the other parties of a distributed barrier")
    parties.enqueue(arrival, ticket)
    return park(
      restore,
      ticket,
      () => parties.cancel(arrival, ticket),
      () => resultOf(arrival.outcome!)
    )
  })

const resultOf = (outcome: Outcome): Effect.Effect<number, any> => {
  if (outcome.kind === "passed") return Effect.succeed(outcome.index)
  if (outcome.kind === "broken") return Effect.fail(new BrokenBarrier())
  return outcome.kind === "lost" ? Effect.fail(outcome.loss) : Effect.failCause(outcome.failure as Cause.Cause<unknown>)
}

/** What is done to a barrier, or asked of it. */
export const ask = <A>(
  parties: Parties,
  where: string,
  name: string,
  f: (port: Port, name: string, answer: (answer: A) => void, fail: Fail) => void
): Effect.Effect<A, any> =>
  Effect.suspend(() => {
    const full = parties.nameOf(checkName(where, name))
    return asked<A>("the store of a distributed barrier", (answer, fail) => f(parties.port, full, answer, fail))
  })
