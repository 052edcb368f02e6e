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
  /** @internal */
  constructor(
    private readonly state: core.State,
    private readonly permits: number,
    private epoch: number
  ) {}

  /** Gives back what is held. */
  release(): void {
    const { epoch } = this
    // No grant has this epoch, so the second time there is nothing to give back.
    this.epoch = -1
    wake(core.giveBack(this.state, this.permits, epoch))
  }

  [Symbol.dispose](): void {
    this.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release()
  }
}
