/** What tinypool's workers run. */
import { Tinypool } from "tinypool"

export * from "./executorJobs.js"

export const moved = (bytes: Uint8Array): unknown => Tinypool.move(bytes)
