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
import { SharedMemory } from "./internal/sharedMemory.js"
import { entry } from "./worker/location.js"
import { builtin, type ResourceLimits, startThread } from "./worker/node.js"
import { startProcess } from "./worker/processes.js"

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
  /** Options for Node. Default: those of this process, but for what says which program it runs and where it is debugged. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

/**
 * What starts threads, for an `Executor.Service`. They share memory with who starts them, and an executor over them knows that.
 *
 * @since 0.1.0
 * @category layers
 */
export const threads = (options: ThreadOptions = {}): Layer.Layer<PlatformWorker | Spawner> => {
  const { env, execArgv, resourceLimits } = checked("NodeExecutor.threads", options)
  const threads = builtin("node:worker_threads")!
  const settings = { ...(env && { env }), ...(execArgv && { execArgv }), ...(resourceLimits && { resourceLimits }) }
  const platform = NodeWorker.layerPlatform((): any => startThread(threads, entry(), settings))
  return Layer.merge(platform, Layer.succeed(SharedMemory, true))
}

/**
 * What starts processes, for an `Executor.Service`.
 *
 * @since 0.1.0
 * @category layers
 */
export const processes = (options: ProcessOptions = {}): Layer.Layer<PlatformWorker | Spawner> => {
  const { env, execArgv } = checked("NodeExecutor.processes", options)
  const processes = builtin("node:child_process")!
  const settings = { ...(env && { env }), ...(execArgv && { execArgv }) }
  const platform = NodeWorker.layerPlatform((): any => startProcess(processes, entry(), settings))
  // Said, too: the program may have threads elsewhere.
  return Layer.merge(platform, Layer.succeed(SharedMemory, false))
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
  Layer.provide(Executor.layer(options), threads(options))

/**
 * The executor of a program, on processes.
 *
 * **When to use**: for what may crash (`process.abort`, a native module) or needs memory of its own. Arguments and results are copied through a
 * pipe, and a function that never awaits does not see that it is to stop: it is ended when its grace is over.
 *
 * **Details**: what a pipe does not take is refused as what cannot be cloned: shared memory, beside functions and the like. Of an object of the
 * platform (a `Blob`, a key, a port) only its plain properties arrive. A process ends when its parent has gone, also one that is in a loop: a
 * thread of it looks after that, which takes some 10 MB.
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
