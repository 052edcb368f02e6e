/**
 * Executors on Node: threads of this process, or processes of their own.
 *
 * It is imported as `effect-concurrency/NodeExecutor` and is not part of the index, because `@effect/platform-node` need not be installed for the
 * rest. Workers come from there; what they run is this package's.
 *
 * @since 0.1.0
 */
import * as NodeWorker from "@effect/platform-node/NodeWorker"
import type { PlatformWorker, Spawner } from "@effect/platform/Worker"
import * as Layer from "effect/Layer"
import { expect, record } from "./core/arguments.js"
import * as Executor from "./Executor.js"
import { entry } from "./worker/location.js"
import { builtin, type ResourceLimits } from "./worker/node.js"

/**
 * How threads are started.
 *
 * @since 0.1.0
 * @category models
 */
export interface ThreadOptions {
  /** How much memory each may use, in megabytes: `maxOldGenerationSizeMb` and so on. Above it the thread ends, and its jobs fail with `WorkerDied`. */
  readonly resourceLimits?: ResourceLimits | undefined
  /** The environment variables that they see. Default: a copy of this process's. */
  readonly env?: Record<string, string | undefined> | undefined
  /** Options for Node, such as `--import` of a loader. Default: this process's. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/**
 * How processes are started.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProcessOptions {
  /** The environment variables that they see. Default: this process's. */
  readonly env?: Record<string, string | undefined> | undefined
  /** Options for Node. Default: this process's. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/**
 * What starts threads, for an `Executor.Service`. Give that `shared: true`.
 *
 * @since 0.1.0
 * @category layers
 */
export const threads = (options: ThreadOptions = {}): Layer.Layer<PlatformWorker | Spawner> => {
  const { env, execArgv, resourceLimits } = checked("NodeExecutor.threads", options)
  const { Worker } = builtin("node:worker_threads")!
  const settings = { ...(env && { env }), ...(execArgv && { execArgv }), ...(resourceLimits && { resourceLimits }) }
  return NodeWorker.layerPlatform((): any => new Worker(entry(), settings))
}

/**
 * What starts processes, for an `Executor.Service`.
 *
 * @since 0.1.0
 * @category layers
 */
export const processes = (options: ProcessOptions = {}): Layer.Layer<PlatformWorker | Spawner> => {
  const { env, execArgv } = checked("NodeExecutor.processes", options)
  const { fork } = builtin("node:child_process")!
  const settings = { serialization: "advanced", ...(env && { env }), ...(execArgv && { execArgv }) } as const
  return NodeWorker.layerPlatform((): any => fork(entry(), [], settings))
}

/**
 * The executor of a program, on threads.
 *
 * **When to use**: for computations. A thread shares the process: it starts in some 30 milliseconds, buffers can be moved to it and back, and what ends
 * the process ends it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerThreads = (options: Executor.Options & ThreadOptions = {}): Layer.Layer<Executor.Executor> =>
  Layer.provide(Executor.layer({ shared: true, ...options }), threads(options))

/**
 * The executor of a program, on processes.
 *
 * **When to use**: for what may crash (`process.abort`, a native module) or needs memory of its own. Arguments and results are copied through a
 * pipe, and a function that never awaits does not see that it is to stop: it is ended when its grace is over.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerProcesses = (options: Executor.Options & ProcessOptions = {}): Layer.Layer<Executor.Executor> =>
  Layer.provide(Executor.layer({ ...options, shared: false }), processes(options))

const checked = <A extends ThreadOptions>(where: string, options: A): A => {
  const { env, execArgv, resourceLimits } = record(where, options)
  const isRecord = (value: unknown) => value === undefined || (typeof value === "object" && value !== null)
  expect(isRecord(env), where, "env", "an object", env)
  expect(execArgv === undefined || Array.isArray(execArgv), where, "execArgv", "an array of strings", execArgv)
  expect(isRecord(resourceLimits), where, "resourceLimits", "an object", resourceLimits)
  return options
}
