/** Answers each message with the same, which it copies or moves, as it was told when it began. */
import { parentPort, workerData } from "node:worker_threads"

parentPort!.on("message", (message) => parentPort!.postMessage(message, workerData === "moved" ? [message.buffer] : []))
