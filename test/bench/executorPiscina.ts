/** What piscina's workers run. */
import { move } from "piscina"

export * from "./executorJobs.js"

export const moved = (bytes: Uint8Array): unknown => move(bytes)
