/** The worker of synckit, which takes one function. */
import { runAsWorker } from "synckit"
import { answer } from "./bridgeFunctions.js"

runAsWorker(answer)
