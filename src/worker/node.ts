/**
 * The only place where Node's own modules are reached, and Bun's and Deno's, which go by the same names. They are looked up when they are
 * needed and not imported, so that everything loads in a browser, too.
 *
 * @internal
 */

interface Modules {
  readonly "node:worker_threads": WorkerThreads
  readonly "node:child_process": ChildProcesses
  readonly "node:v8": {
    readonly getHeapStatistics: () => { readonly used_heap_size: number }
    readonly serialize: (value: unknown) => unknown
    readonly DefaultSerializer: new () => Serializer
    readonly DefaultDeserializer: new (bytes: Uint8Array) => Deserializer
  }
  readonly "node:net": { readonly Socket: new (options: { readonly fd: number }) => Pipe }
  readonly "node:os": { readonly availableParallelism: () => number }
  readonly "node:fs": { readonly existsSync: (path: URL) => boolean }
}

/** A module of the platform, if it has that. */
export const builtin = <Name extends keyof Modules>(name: Name): Modules[Name] | undefined =>
  (globalThis as any).process?.getBuiltinModule?.(name)

/** Milliseconds that only grow, for a thread that waits for another. */
export const now = (): number => globalThis.performance.now()

export type Output = "stdout" | "stderr"

interface Stream {
  write(chunk: string | Uint8Array): unknown
  _write(chunk: string | Uint8Array, encoding: string, written: () => void): void
  _writev: null
}

const stream = (output: Output): Stream => (globalThis as any).process[output]

export const print = (to: Output, chunk: string | Uint8Array): void => void stream(to).write(chunk)

/** Has a function take what this thread prints. */
export const divert = (output: Output, take: (chunk: string | Uint8Array) => void): void => {
  const to = stream(output)
  to._writev = null
  to._write = (chunk, encoding, written) => {
    const isText = typeof chunk === "string" && /^utf-?8$/i.test(encoding)
    // A copy: it may be a small piece of a large buffer, all of which would be cloned.
    take(isText ? chunk : new Uint8Array((globalThis as any).Buffer.from(chunk, encoding)))
    written()
  }
}

/** What is used of `node:worker_threads`. */
export interface WorkerThreads {
  readonly Worker: new (program: URL | string, options: ThreadOptions) => Thread
  readonly MessageChannel: new () => { readonly port1: Port; readonly port2: Port }
  readonly parentPort: Port | null
  readonly workerData: any
  readonly receiveMessageOnPort: (port: Port) => { readonly message: any } | undefined
}

/** Options of Node that are for one process: they say what its program is, or where somebody may look into it. */
const ofProgram =
  /^(?:--(?:input-type|eval|print|test|inspect|inspect-brk|inspect-wait|inspect-port|inspect-publish-uid|debug-port)|-e|-p|-pe)(?:=|$)/

/** Those that have their value behind them. */
const withValue = /^(?:--(?:input-type|eval|inspect-port|inspect-publish-uid|debug-port)|-e|-pe)$/

/** Those that may have. */
const withProgram = /^(?:--print|-p)$/

/** The options of Node that another process of it may have, of those of this one. */
export const optionsOfOthers = (all: ReadonlyArray<string>): ReadonlyArray<string> => {
  const isValue = (arg: string, before = "") =>
    withValue.test(before) || (withProgram.test(before) && !arg.startsWith("-"))
  return all.filter((arg, index) => !ofProgram.test(arg) && !isValue(arg, all[index - 1]))
}

const ownOptions = (): ReadonlyArray<string> => (globalThis as any).process.execArgv ?? []

/**
 * Starts a thread that begins with a file. It has the options of this process, unless it is given others; but while one says that the program
 * is a module, or is none, no thread can begin with a file. It can with a line that imports it.
 */
export const startThread = ({ Worker }: WorkerThreads, file: URL, options: ThreadOptions): Thread => {
  const isRefused = options.execArgv === undefined && ownOptions().some((arg) => arg.startsWith("--input-type"))
  return isRefused
    ? new Worker(`import(${JSON.stringify(file.href)})`, { ...options, eval: true })
    : new Worker(file, options)
}

/** Options of a process of this package. It has those of this one that are not for this one alone, unless it is given others. */
export const forkOptions = (own: Partial<ForkOptions>): ForkOptions => ({
  serialization: "advanced",
  execArgv: optionsOfOthers(ownOptions()),
  ...own
})

/** Whether a process may have more pipes than the usual ones, that both sides can write to. */
export const hasPipes = (): boolean =>
  !("Deno" in globalThis) && !("Bun" in globalThis) && (globalThis as any).process?.platform !== "win32"

export interface ThreadOptions {
  readonly workerData?: unknown
  readonly env?: Record<string, string | undefined>
  readonly execArgv?: ReadonlyArray<string> | undefined
  readonly transferList?: ReadonlyArray<unknown>
  readonly resourceLimits?: ResourceLimits | undefined
  readonly name?: string
  /** Whether it begins with the text of a program rather than with a file. */
  readonly eval?: boolean
}

/**
 * How much memory a thread may use, in megabytes. The platform's own options: see `resourceLimits` in Node's `worker_threads`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResourceLimits {
  readonly maxOldGenerationSizeMb?: number
  readonly maxYoungGenerationSizeMb?: number
  readonly codeRangeSizeMb?: number
  readonly stackSizeMb?: number
}

/** What is used of `node:child_process`. */
export interface ChildProcesses {
  readonly fork: (module: URL, args: ReadonlyArray<string>, options: ForkOptions) => Child
}

/**
 * Throws when a value cannot be sent to another process. In Node and Bun it is the sending that throws; what Deno cannot send breaks the channel.
 */
export const checkSendable = (value: unknown): void => {
  if ("Deno" in globalThis) builtin("node:v8")!.serialize(value)
}

/** What is used of `Buffer`. */
export interface Buffer extends Uint8Array {
  subarray(begin?: number, end?: number): Buffer
  readUInt32LE(at: number): number
  writeUInt32LE(value: number, at: number): void
  utf8Slice(begin: number, end: number): string
}

/** Node's own class of bytes, where it is needed. */
export const buffers = (): {
  from(text: string): Buffer
  concat(pieces: ReadonlyArray<Uint8Array>, size: number): Buffer
} => (globalThis as any).Buffer

export interface Serializer {
  writeHeader(): void
  writeValue(value: unknown): void
  writeUint32(value: number): void
  writeRawBytes(bytes: Uint8Array): void
  releaseBuffer(): Buffer
  _writeHostObject(object: object): unknown
}

export interface Deserializer {
  readHeader(): void
  readValue(): unknown
  readUint32(): number
  _readHostObject(): unknown
}

/** A stream that goes both ways. */
export interface Pipe {
  write(bytes: Uint8Array): void
  on(event: "data", listener: (bytes: Buffer) => void): this
  on(event: "error", listener: (error: unknown) => void): this
  ref(): void
  unref(): void
}

export interface ForkOptions {
  readonly stdio?: ReadonlyArray<string>
  readonly serialization: "advanced"
  readonly env?: Record<string, string | undefined>
  readonly execArgv?: ReadonlyArray<string>
}

export interface Child {
  readonly pid: number | undefined
  readonly connected: boolean
  send(message: unknown, callback?: (error: Error | null) => void): unknown
  emit(event: string, value: unknown): boolean
  readonly stdio?: ReadonlyArray<unknown>
  kill(signal: string): boolean
  on(event: "message" | "error", listener: (value: any) => void): this
  on(event: "close", listener: () => void): this
  on(event: "exit", listener: (code: number | null, signal: string | null) => void): this
  ref(): void
  unref(): void
  /** In Bun it has neither. */
  readonly channel?: { ref?(): void; unref?(): void }
}

export interface Thread {
  on(event: "message" | "messageerror" | "error", listener: (value: any) => void): this
  on(event: "exit", listener: (code: number) => void): this
  postMessage(message: unknown, transfer?: ReadonlyArray<unknown>): void
  ref(): void
  unref(): void
  terminate(): Promise<unknown>
}

export interface Port {
  postMessage(message: unknown, transfer?: ReadonlyArray<unknown>): void
  on(event: "message" | "messageerror", listener: (message: any) => void): this
  unref(): void
  close(): void
}

/** How many threads the machine runs at a time. */
export const parallelism = (): number =>
  builtin("node:os")?.availableParallelism() ??
  (globalThis as { navigator?: { hardwareConcurrency?: number } }).navigator?.hardwareConcurrency ??
  1

/** What has come to a port and was not told yet, where that can be asked. */
export function* received(port: unknown): Iterable<unknown> {
  const receive = builtin("node:worker_threads")?.receiveMessageOnPort
  for (let next = receive?.(port as Port); next !== undefined; next = receive?.(port as Port)) yield next.message
}
