/** What the workers of `Worker.makePool` run, over `NodeWorkerRunner`. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeWorkerRunner from "@effect/platform-node/NodeWorkerRunner"
import * as Transferable from "@effect/platform/Transferable"
import * as WorkerRunner from "@effect/platform/WorkerRunner"
import { Effect, Layer } from "effect"
import { compute, echo, nothing } from "./executorJobs.js"

const jobs = { nothing, echo, moved: echo, compute }

export interface Request {
  readonly name: keyof typeof jobs
  readonly argument: any
}

const run = ({ argument, name }: Request) => Effect.sync((): unknown => jobs[name](argument))

const workers = WorkerRunner.layer(run, {
  encodeOutput: ({ name }, output) =>
    name === "moved"
      ? Effect.as(Transferable.addAll([(output as Uint8Array<ArrayBuffer>).buffer]), output)
      : Effect.succeed(output)
})

NodeRuntime.runMain(WorkerRunner.launch(Layer.provide(workers, NodeWorkerRunner.layer)))
