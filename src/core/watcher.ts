/**
 * Hears of what a store tells under a name, while somebody wants to. Where that cannot be had, it is said once; whoever then goes to sleep tries
 * again, and until then there is the poll.
 *
 * @internal
 */

/** How a store is watched. */
export interface Port {
  /** Calls `changed` whenever something may have changed, from when it has called `watching`. What it returns ends that. */
  watch(name: string, changed: () => void, watching: () => void, fail: (failure: unknown) => void): () => void
  /** Something that nobody waits for, with what failed, if anything did. */
  report(name: string, message: string, failure?: { readonly failure: unknown }): void
}

export class Watcher {
  private stop: (() => void) | undefined = undefined
  private isTold = false

  constructor(
    private readonly port: Port,
    private readonly name: string,
    /** What it is called in the store. */
    private readonly fullName: string,
    /** Called for each change; also when it has only just begun to hear of them, for one may have been missed before. */
    private readonly changed: () => void,
    private readonly poll: number
  ) {}

  /** Somebody sleeps. */
  start(): void {
    if (this.stop !== undefined) return
    // What an earlier one says that was ended meanwhile is nobody's business.
    const isCurrent = () => this.stop === stop
    const stop = this.port.watch(
      this.fullName,
      () => isCurrent() && this.changed(),
      () => {
        if (!isCurrent()) return
        this.isTold = false
        this.changed()
      },
      (failure) => {
        if (!isCurrent()) return
        this.stop = undefined
        if (this.isTold) return
        this.isTold = true
        const message = `the store does not tell of changes: it is asked every ${Math.round(this.poll)} ms instead`
        this.port.report(this.name, message, { failure })
      }
    )
    this.stop = stop
  }

  /** Nobody waits any more. */
  end(): void {
    const { stop } = this
    this.stop = undefined
    stop?.()
  }
}
