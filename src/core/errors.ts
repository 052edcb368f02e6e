/**
 * What a caller can meet at run time. One class for both skins: `instanceof` holds wherever the error came through, and `_tag` lets Effect's
 * `catchTag` find it.
 *
 * @internal
 */

class TaggedError<Tag extends string> extends Error {
  constructor(
    readonly _tag: Tag,
    message: string
  ) {
    super(message)
    this.name = _tag
  }
}

/**
 * The barrier was reset or aborted, or its action failed, while this party waited; or it was broken already.
 *
 * @since 0.1.0
 * @category errors
 */
export class BrokenBarrier extends TaggedError<"BrokenBarrier"> {
  constructor() {
    super("BrokenBarrier", "the barrier is broken")
  }
}

/**
 * The queue takes nothing more; or, for a taker, it has ended and is empty.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueClosed extends TaggedError<"QueueClosed"> {
  constructor() {
    super("QueueClosed", "the queue is closed")
  }
}

/**
 * A queue that refuses what does not fit has no room.
 *
 * @since 0.1.0
 * @category errors
 */
export class QueueFull extends TaggedError<"QueueFull"> {
  constructor(readonly capacity: number) {
    super("QueueFull", `the queue is full: it holds ${capacity}`)
  }
}
