/**
 * Whether the workers of a platform can share memory with who starts them. Threads can and processes cannot; a layer that starts threads says
 * so, beside what starts them.
 *
 * @internal
 */
import * as Context from "effect/Context"

/** Effect 4 has `Context.Reference` too. */
export class SharedMemory extends Context.Reference<SharedMemory>()("effect-concurrency/SharedMemory", {
  defaultValue: (): boolean => false
}) {}
