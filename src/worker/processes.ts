/**
 * Processes of this package, and the pipe by which one and its parent speak.
 *
 * Node's own channel is there too: by that each of them sees that the other has gone. But whatever is sent there is cloned, or all of it is JSON;
 * a pipe takes what we make of each frame (see packets). Where there are no such pipes, and for a process that somebody else has started, all goes
 * by the channel.
 *
 * @internal
 */
import type { FromWorker, ToWorker } from "../core/protocol.js"
import { builtin, type Child, type ChildProcesses, type ForkOptions, forkOptions, hasPipes, type Pipe } from "./node.js"
import { pack, Unpacking } from "./packets.js"

/** Which of a process's files the pipe is. The channel is the one before. */
const place = 4

const stdio = ["inherit", "inherit", "inherit", "ipc", "pipe"]

/** Tells a process that it has one. */
const mark = `frames-on-${place}`

/** A process that is spoken with by a pipe. */
export interface Speaking extends Child {
  /** From here on what it says is told to this listener, and not to those who listen to messages. */
  hear(listener: (frame: unknown) => void): void
}

/** Starts a process that begins with a file. */
export const startProcess = (
  { fork }: ChildProcesses,
  file: URL,
  own: Pick<ForkOptions, "env" | "execArgv">
): Child | Speaking => {
  if (!hasPipes()) return fork(file, [], forkOptions(own))
  const child = fork(file, [mark], forkOptions({ ...own, stdio }))
  const pipe = child.stdio?.[place] as Pipe | null | undefined
  // There is none when it could not be started, and it says so itself.
  return pipe ? speaking(child, pipe) : child
}

const speaking = (child: Child, pipe: Pipe): Speaking => {
  let tell = (frame: unknown): void => void child.emit("message", frame)
  const unreadable = (error: unknown) => {
    child.emit("error", error)
    // Whoever waits for what it said would wait for ever.
    child.kill("SIGKILL")
  }
  const unpacking = new Unpacking((frame) => tell(frame), unreadable)
  pipe.on("data", (bytes) => unpacking.read(bytes))
  pipe.on("error", ignore)
  const { ref, unref } = child
  return Object.assign(child, {
    send: (frame: ToWorker) => pipe.write(pack(frame)),
    hear(listener: (frame: unknown) => void) {
      tell = listener
    },
    ref() {
      ref.call(child)
      pipe.ref()
    },
    unref() {
      unref.call(child)
      pipe.unref()
    }
  })
}

/** A process's own end of its pipe. */
export interface OwnPipe {
  /** Throws when the frame cannot be cloned. */
  send(frame: FromWorker): void
  listen(hear: (frame: unknown) => void): void
  /** It does not keep the process alive any more. */
  release(): void
}

/** The pipe of the process with these arguments, if it has one. */
export const ownPipe = (args: Array<string>): OwnPipe | undefined => {
  if (args[2] !== mark) return undefined
  // It is nothing for the functions that run here.
  args.splice(2, 1)
  const { Socket } = builtin("node:net")!
  const pipe = new Socket({ fd: place })
  // The parent has gone: the channel says so, too.
  pipe.on("error", ignore)
  return {
    send: (frame) => pipe.write(pack(frame)),
    listen(hear) {
      // An order that cannot be read would never be answered; so the process ends, and the pool is told that it has.
      const unreadable = (error: unknown) => {
        throw error
      }
      const unpacking = new Unpacking(hear, unreadable)
      pipe.on("data", (bytes) => unpacking.read(bytes))
    },
    release: () => pipe.unref()
  }
}

const ignore = (): void => {}
