/** What workerpool's workers run. */
import { Transfer, worker } from "workerpool"
import * as jobs from "./executorJobs.js"

worker({ ...jobs, moved: (bytes: Uint8Array) => new Transfer(bytes, [bytes.buffer]) })
