/** Async functions called from synchronous code: a thread that blocks while another works. */
import { ours, type Contender, type Workload } from "./workload.js"

/** Calls the worker with a number of bytes that it is to answer with; gives how many came. */
type Call = (bytes: number) => number

const bridge = async (): Promise<Call> => {
  const { SyncBridge } = await import("effect-concurrency/promise")
  const functions = SyncBridge.module<typeof import("./bridgeFunctions.js")>(
    new URL("./bridgeFunctions.js", import.meta.url)
  )
  const bridge = new SyncBridge(functions)
  return (bytes) => bridge.run("answer", [bytes]).length
}

const synckit = async (): Promise<Call> => {
  const { createSyncFn } = await import("synckit")
  const answer = createSyncFn<(bytes: number) => Promise<Uint8Array>>(new URL("./synckitWorker.js", import.meta.url))
  return (bytes) => answer(bytes).length
}

/** What it costs when the function is called here. It is not for what has to be awaited. */
const inPlace = async (): Promise<Call> => {
  const { answerNow } = await import("./bridgeFunctions.js")
  return (bytes) => answerNow(bytes).length
}

/** The one that a process has, so that no round starts threads. */
const once = <A>(make: () => Promise<A>): (() => Promise<A>) => {
  let made: Promise<A> | undefined
  return () => (made ??= make())
}

const calling = (make: () => Promise<Call>, bytes: number): Contender => {
  const made = once(make)
  return async (operations) => {
    const call = await made()
    call(0)
    return () => {
      let done = 0
      for (let i = 0; i < operations; i++) if (call(bytes) === bytes) done++
      return done
    }
  }
}

const contenders = (bytes: number) => ({
  [ours]: calling(bridge, bytes),
  synckit: calling(synckit, bytes),
  "floor: in place": calling(inPlace, bytes)
})

/** One call after the other, as with jobs: nobody may be more than half as fast again. */
const aims = { synckit: 1 / 1.5, "floor: in place": 0 }

export const workloads: ReadonlyArray<Workload> = [
  { name: "sync call of an async function", sizes: [1], repeat: 1_000, aims, contenders: contenders(0) },
  { name: "sync call, 100 KB back", sizes: [1], repeat: 1_000, aims, contenders: contenders(100_000) }
]
