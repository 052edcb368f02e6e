/** What our workers run. */
import { transfer } from "effect-concurrency/worker"

export * from "./executorJobs.js"

/** Moved on its way here, and on its way back. */
export const moved = (bytes: Uint8Array): Uint8Array => transfer(bytes, [bytes.buffer])
