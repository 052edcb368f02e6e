/**
 * What a caller can meet at run time. One class for both skins: `instanceof` holds wherever the error came through, and `_tag` lets Effect's
 * `catchTag` find it.
 *
 * @internal
 */

/**
 * The barrier was reset or aborted, or its action failed, while this party waited; or it was broken already.
 *
 * @since 0.1.0
 * @category errors
 */
export class BrokenBarrier extends Error {
  readonly _tag = "BrokenBarrier"
  override readonly name = "BrokenBarrier"

  constructor() {
    super("the barrier is broken")
  }
}

/**
 * The queue takes nothing more; or, for a taker, it has ended and is empty.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueClosed extends Error {
  readonly _tag = "QueueClosed"
  override readonly name = "QueueClosed"

  constructor() {
    super("the queue is closed")
  }
}

/**
 * A queue that refuses what does not fit has no room.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueFull extends Error {
  readonly _tag = "QueueFull"
  override readonly name = "QueueFull"

  constructor(readonly capacity: number) {
    super(`the queue is full: it holds ${capacity}`)
  }
}
