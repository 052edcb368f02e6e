/**
 * Barriers of a store among promises: how the store is reached.
 *
 * @since 0.1.0
 */
import { callable } from "../../core/arguments.js"
import { MemoryParties } from "../../core/memoryParties.js"
import {
  type ArriveRequest,
  checkAnswer,
  checkBroken,
  type Config,
  Parties,
  type PartyRequest,
  type Port,
  type WithdrawRequest
} from "../../core/parties.js"
import type { Answer } from "../../core/party.js"
import { ownTimers, platformTime } from "../timer.js"
import { StorePort, unchecked } from "./storePort.js"

/**
 * Where those are kept who wait for each other: what a store does. What it has to promise is what `PartyStoreShape` of
 * `effect-concurrency/distributed` says.
 *
 * @since 0.1.0
 */
export interface PartyStore {
  /** A party arrives; if it is the last, all pass. Whoever has arrived before, with the same id, does not arrive again. */
  arrive(request: ArriveRequest): Answer | PromiseLike<Answer>
  /** Says what has become of a party. If it waits, its lease counts from now. */
  renew(request: PartyRequest): Answer | PromiseLike<Answer>
  /**
   * A party that waits does not any more; with `breaks`, that breaks the barrier. One that is not there does not arrive later, should its arrival come
   * after this; with `breaks`, that arrival breaks the barrier, once.
   */
  withdraw(request: WithdrawRequest): void | PromiseLike<void>
  /** Breaks the generation of those who wait. The barrier itself is not broken any more. */
  reset(name: string): void | PromiseLike<void>
  /** Breaks the barrier. */
  abort(name: string): void | PromiseLike<void>
  isBroken(name: string): boolean | PromiseLike<boolean>
  /**
   * Calls a function whenever something has become of those who waited, also when that may have gone unnoticed. Resolves when it is certain that nothing
   * is missed from now on, to a function that ends it.
   */
  watch(name: string, onChanged: () => void): (() => void) | PromiseLike<() => void>
}

/**
 * A store in memory, on the platform's clock: for one process, and for tests.
 *
 * @since 0.1.0
 */
export const partyStoreMemory = (): PartyStore => new MemoryParties(platformTime())

type Fail = (failure: unknown) => void

class PartyPort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: PartyStore
  ) {
    super(where, (name, changed) => store.watch(name, changed))
  }

  arrive(request: ArriveRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.arrive(request), checkAnswer, answer, fail)
  }

  renew(request: PartyRequest, answer: (answer: Answer) => void, fail: Fail): void {
    this.ask(() => this.store.renew(request), checkAnswer, answer, fail)
  }

  withdraw(request: WithdrawRequest, done: () => void, fail: Fail): void {
    this.ask<void>(() => this.store.withdraw(request), unchecked, done, fail)
  }

  reset(name: string, done: () => void, fail: Fail): void {
    this.ask<void>(() => this.store.reset(name), unchecked, done, fail)
  }

  abort(name: string, done: () => void, fail: Fail): void {
    this.ask<void>(() => this.store.abort(name), unchecked, done, fail)
  }

  isBroken(name: string, answer: (isBroken: boolean) => void, fail: Fail): void {
    this.ask(() => this.store.isBroken(name), checkBroken, answer, fail)
  }
}

/** @internal */
export const makeParties = (where: string, store: PartyStore, config: Config): Parties => {
  for (const name of ["arrive", "renew", "withdraw", "reset", "abort", "isBroken", "watch"] as const)
    callable(`new ${where}`, `store.${name}`, store?.[name])
  return new Parties(config, new PartyPort(where, store), ownTimers)
}
