/**
 * Deliveries of a queue among promises: how the store is reached.
 *
 * @internal
 */
import type {
  Change,
  Counts,
  DeadLetter,
  DeadRequest,
  ExchangeAnswer,
  ExchangeRequest,
  OfferRequest
} from "../../core/deliveries.js"
import type { Port } from "../../core/deliverer.js"
import { checkAnswer, isPassing, type Note, textOf } from "../../core/deliveryLine.js"
import { MemoryDeliveries } from "../../core/memoryDeliveries.js"
import { report } from "../report.js"
import { platformTime } from "../timer.js"
import { Asker, unchecked } from "./storePort.js"

/**
 * What a store of a `DistributedQueue` does. What it has to promise is what `DeliveryStoreShape` of the Effect module `DeliveryStore` says.
 *
 * @since 0.1.0
 */
export interface DeliveryStore {
  /** The signal aborts when the caller has left: what was not sent by then need not be sent. */
  offer(
    request: OfferRequest,
    options?: { readonly signal?: AbortSignal | undefined }
  ): ReadonlyArray<boolean> | PromiseLike<ReadonlyArray<boolean>>
  exchange(request: ExchangeRequest): ExchangeAnswer | PromiseLike<ExchangeAnswer>
  counts(name: string): Counts | PromiseLike<Counts>
  deadLetters(name: string, limit: number): ReadonlyArray<DeadLetter> | PromiseLike<ReadonlyArray<DeadLetter>>
  requeue(request: DeadRequest): number | PromiseLike<number>
  purge(request: DeadRequest): number | PromiseLike<number>
  /** Calls a function with each change. What it gives, or fulfils its promise with once nothing is missed any more, ends that. */
  watch(name: string, changed: (change: Change) => void): (() => void) | PromiseLike<() => void>
}

/**
 * A store in memory, on the platform's clock: for one process, and for tests. A program that outgrows its machine takes another store.
 *
 * @since 0.1.0
 */
export const deliveryStoreMemory = (): DeliveryStore => new MemoryDeliveries(platformTime())

export class DeliveryPort extends Asker<Change> implements Port {
  constructor(
    private readonly where: string,
    private readonly name: string,
    private readonly store: DeliveryStore
  ) {
    super((name, changed) => store.watch(name, changed))
  }

  exchange(request: ExchangeRequest, answer: (answer: ExchangeAnswer) => void, fail: (failure: unknown) => void): void {
    this.ask(
      () => this.store.exchange(request),
      (given) => checkAnswer(request, given),
      answer,
      fail
    )
  }

  counts(name: string, answer: (counts: Counts) => void, fail: (failure: unknown) => void): void {
    this.ask(() => this.store.counts(name), unchecked, answer, fail)
  }

  isPassing(failure: unknown): boolean {
    return isPassing(failure)
  }

  report(note: Note): void {
    const error = note.kind === "lost" ? note.loss : note.kind === "outage" ? note.failure : note.cause
    void report({ where: this.where, name: this.name, message: textOf(note), error })
  }

  unique(): string {
    return globalThis.crypto.randomUUID()
  }
}
