/**
 * Frames on a stream of bytes, as a process and its parent exchange them: a head, which says how long the rest is and of which kind it is, and
 * the rest.
 *
 * There are two kinds, because to make a clone and to read it takes a large part of the time of a small job. A frame in which there are only
 * numbers, short texts and the like goes as JSON, and most do. All others are cloned, as Node clones what is sent to a process.
 *
 * @internal
 */
import type { FromWorker, Message, Order, Run, ToWorker } from "../core/protocol.js"
import { Do, Say } from "../core/protocol.js"
import { type Buffer, buffers, builtin, type Deserializer, type Serializer } from "./node.js"

type Frame = ToWorker | FromWorker

const Kind = { text: 0, clone: 1 } as const

/** Of the head: four bytes for the length, and one for the kind. */
const headSize = 5

const blank = " ".repeat(headSize)

/** A frame as bytes. Throws when it cannot be cloned. */
export const pack = (frame: Frame): Uint8Array => {
  const text = textOf(frame)
  return text === undefined ? headed(clone(frame), Kind.clone) : headed(buffers().from(blank + text), Kind.text)
}

const headed = (bytes: Buffer, kind: number): Uint8Array => {
  bytes.writeUInt32LE(bytes.length - headSize, 0)
  bytes[headSize - 1] = kind
  return bytes
}

/** Puts frames together again from the pieces that come of a stream. */
export class Unpacking {
  private pieces: Array<Buffer> = []
  private size = 0
  /** So many bytes it takes to go on. */
  private wanted = headSize

  constructor(
    private readonly hear: (frame: unknown) => void,
    /** A frame cannot be read. Its bytes are gone, and what comes next is another. */
    private readonly failed: (error: unknown) => void
  ) {}

  read(piece: Buffer): void {
    this.pieces.push(piece)
    this.size += piece.length
    while (this.size >= this.wanted) {
      const bytes = this.pieces.length === 1 ? this.pieces[0]! : buffers().concat(this.pieces, this.size)
      const end = headSize + bytes.readUInt32LE(0)
      if (this.size >= end) {
        this.keep(bytes.subarray(end), headSize)
        this.tell(bytes, end)
      } else this.keep(bytes, end)
    }
  }

  private keep(bytes: Buffer, wanted: number): void {
    this.pieces = bytes.length === 0 ? [] : [bytes]
    this.size = bytes.length
    this.wanted = wanted
  }

  private tell(bytes: Buffer, end: number): void {
    let frame: unknown
    try {
      frame = unpacked(bytes, end)
    } catch (error) {
      return this.failed(error)
    }
    try {
      this.hear(frame)
    } catch (error) {
      // It is thrown, but later: those that came with this one are heard all the same.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

const unpacked = (bytes: Buffer, end: number): unknown =>
  bytes[headSize - 1] === Kind.text ? frameOf(bytes.utf8Slice(headSize, end)) : cloned(bytes.subarray(headSize, end))

// ---------------------------------------------------------------------------------------------------------------------------- text

/** A frame as text, if that says all that is in it. What is undefined at the end of a list is left out, and is undefined for who reads it. */
const textOf = (frame: Frame): string | undefined => {
  if (frame.length === 1) return JSON.stringify(frame)
  return frame[0] === 0 ? textOfOrder(frame[1]) : textOfMessage(frame[1])
}

const textOfOrder = (order: Order): string | undefined => {
  switch (order[0]) {
    case Do.run:
      return isTextual(order) ? `[0,${textOfRun(order)}]` : undefined
    case Do.several:
      return order[1].every(isTextual) ? `[0,[${Do.several},[${order[1].map(textOfRun).join()}]]]` : undefined
    default:
      return order.length === 1 ? JSON.stringify([0, order]) : undefined
  }
}

const textOfRun = ([kind, id, slot, [module, name, args]]: Run): string =>
  JSON.stringify([kind, id, slot, [module, name, args.includes(undefined) ? args.map(orGap) : args]])

/** Stands for an argument that is undefined. Otherwise there are no lists among them. */
const orGap = (value: unknown): unknown => (value === undefined ? [] : value)

const isTextual = ([, , , [module, name, args], context]: Run): boolean =>
  context === undefined && module !== undefined && module.length < 1000 && isShort(name) && args.every(isSimple)

const frameOf = (text: string): unknown => {
  const frame = JSON.parse(text)
  const order = frame[1]
  if (frame[0] !== 0 || order === undefined) return frame
  if (order[0] === Do.run) fillGaps(order)
  else if (order[0] === Do.several) for (const run of order[1]) fillGaps(run)
  return frame
}

const fillGaps = ([, , , [, , args]]: Run): void => {
  for (let i = 0; i < args.length; i++) {
    if (typeof args[i] === "object" && args[i] !== null) (args as Array<unknown>)[i] = undefined
  }
}

const textOfMessage = (message: Message): string | undefined => {
  if (message.length === 1) return JSON.stringify([1, message])
  if (message[0] !== Say.value || message[3] !== undefined) return undefined
  const value = message[2]
  if (value === undefined) return `[1,[${Say.value},${message[1]}]]`
  return isSimple(value) ? JSON.stringify([1, message.slice(0, 3)]) : undefined
}

/** Whether JSON keeps a value. More than these it would keep: but a long text is cloned faster, and to look through an object takes as long. */
const isSimple = (value: unknown): boolean => {
  switch (typeof value) {
    case "string":
      return isShort(value)
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
    case "boolean":
    case "undefined":
      return true
    default:
      return value === null
  }
}

const isShort = (text: string): boolean => text.length < 200

// --------------------------------------------------------------------------------------------------------------------------- clones

/** As Node clones for a process: of an object of the platform, its plain properties. */
const Tag = { view: 0, other: 1 } as const

const makeClasses = () => {
  const { DefaultDeserializer, DefaultSerializer } = builtin("node:v8")!
  class Cloning extends DefaultSerializer {
    override _writeHostObject(object: object): unknown {
      if (ArrayBuffer.isView(object)) {
        this.writeUint32(Tag.view)
        return super._writeHostObject(object)
      }
      this.writeUint32(Tag.other)
      this.writeValue({ ...object })
      return undefined
    }
  }
  class Reading extends DefaultDeserializer {
    override _readHostObject(): unknown {
      return this.readUint32() === Tag.view ? super._readHostObject() : this.readValue()
    }
  }
  return { Cloning, Reading }
}

let made: { Cloning: new () => Serializer; Reading: new (bytes: Uint8Array) => Deserializer } | undefined

const classes = () => (made ??= makeClasses())

const room = new Uint8Array(headSize)

const clone = (frame: Frame): Buffer => {
  const to = new (classes().Cloning)()
  to.writeRawBytes(room)
  to.writeHeader()
  to.writeValue(frame)
  return to.releaseBuffer()
}

const cloned = (bytes: Uint8Array): unknown => {
  const from = new (classes().Reading)(bytes)
  from.readHeader()
  return from.readValue()
}
