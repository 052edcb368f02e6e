/**
 * A job in its worker: how it learns that it is to stop.
 *
 * @internal
 */
import type { Board } from "../core/board.js"
import * as board from "../core/board.js"
import type { Current } from "./here.js"

export class Job implements Current {
  private controller: AbortController | undefined = undefined

  constructor(
    readonly id: number,
    private readonly slot: number,
    readonly context: unknown,
    private readonly shared: Board | undefined
  ) {}

  /** Made when it is asked for: few jobs do. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController()
      if (this.shared !== undefined) this.watch(this.controller.signal)
    }
    return this.controller.signal
  }

  get isAborted(): boolean {
    return this.controller?.signal.aborted === true
  }

  abort(reason: unknown): void {
    // One that asks later finds it aborted.
    void this.signal
    this.controller!.abort(reason)
  }

  /** Who looks at the signal looks at the board as well: the message has to wait while a loop does not await anything. */
  private watch(signal: AbortSignal): void {
    const isAborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")!.get!
    const look = (): boolean => {
      const aborted = isAborted.call(signal) as boolean
      if (!aborted && board.isStopped(this.shared!, this.slot, this.id)) this.controller!.abort(stopped())
      return isAborted.call(signal) as boolean
    }
    Object.defineProperties(signal, {
      aborted: { get: look, configurable: true },
      throwIfAborted: {
        value: () => {
          if (look()) throw signal.reason
        },
        configurable: true
      }
    })
  }
}

/** The caller's own reason is in the message, which has not come. */
const stopped = () => new DOMException("The job is to stop: its caller has gone, or its time is over", "AbortError")
