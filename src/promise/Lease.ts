/**
 * What a caller holds, until it lets go.
 *
 * @since 0.1.0
 */
import * as core from "../core/semaphore.js"
import { wake } from "../core/ticket.js"

/**
 * Permits, or a lock, that were taken and are to be given back once: by `release`, or at the end of a block by `using` or
 * `await using`. Giving them back again does nothing.
 *
 * @since 0.1.0
 */
export class Lease implements Disposable, AsyncDisposable {
  private state: core.State | undefined

  /** @internal */
  constructor(
    state: core.State,
    private readonly permits: number,
    private readonly epoch: number
  ) {
    this.state = state
  }

  /** Gives back what is held. */
  release(): void {
    const state = this.state
    if (state === undefined) return
    this.state = undefined
    wake(core.giveBack(state, this.permits, this.epoch))
  }

  [Symbol.dispose](): void {
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }
}
