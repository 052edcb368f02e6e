/**
 * Flags of a store among promises: how the store is reached.
 *
 * @since 0.1.0
 */
import { callable } from "../../core/arguments.js"
import type { Look } from "../../core/latch.js"
import { checkLook, type Config, Latches, type Port, type SetRequest } from "../../core/latches.js"
import { MemoryLatches } from "../../core/memoryLatches.js"
import { ownTimers, platformTime } from "../timer.js"
import { StorePort, unchecked } from "./storePort.js"

/**
 * Where flags are kept: what a store does. What it has to promise is what `LatchStoreShape` of `effect-concurrency/distributed` says.
 *
 * @since 0.1.0
 */
export interface LatchStore {
  /** Sets the flag, lets the count grow, and tells those who watch. */
  set(request: SetRequest): void | PromiseLike<void>
  /** Clears the flag, and leaves the count as it is. */
  clear(name: string): void | PromiseLike<void>
  /** Lets the count grow, and tells those who watch. */
  pulse(name: string): void | PromiseLike<void>
  /** Changes nothing. */
  look(name: string): Look | PromiseLike<Look>
  /**
   * Calls a function whenever the count of a name has grown, also when that may have gone unnoticed. Resolves when it is certain that nothing is missed
   * from now on, to a function that ends it.
   */
  watch(name: string, onChanged: () => void): (() => void) | PromiseLike<() => void>
}

/**
 * A store in memory, on the platform's clock: for one process, and for tests.
 *
 * @since 0.1.0
 */
export const latchStoreMemory = (): LatchStore => new MemoryLatches(platformTime())

class LatchPort extends StorePort implements Port {
  constructor(
    where: string,
    private readonly store: LatchStore
  ) {
    super(where, (name, changed) => store.watch(name, changed))
  }

  set(request: SetRequest, done: () => void, fail: (failure: unknown) => void): void {
    this.ask<void>(() => this.store.set(request), unchecked, done, fail)
  }

  clear(name: string, done: () => void, fail: (failure: unknown) => void): void {
    this.ask<void>(() => this.store.clear(name), unchecked, done, fail)
  }

  pulse(name: string, done: () => void, fail: (failure: unknown) => void): void {
    this.ask<void>(() => this.store.pulse(name), unchecked, done, fail)
  }

  look(name: string, answer: (look: Look) => void, fail: (failure: unknown) => void): void {
    this.ask(() => this.store.look(name), checkLook, answer, fail)
  }
}

/** @internal */
export const makeLatches = (where: string, store: LatchStore, config: Config): Latches => {
  for (const name of ["set", "clear", "pulse", "look", "watch"] as const)
    callable(`new ${where}`, `store.${name}`, store?.[name])
  return new Latches(config, new LatchPort(where, store), ownTimers)
}
