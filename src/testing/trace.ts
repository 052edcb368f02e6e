/**
 * What happened in a run, for a reader: who had a turn, what it did by name, and how the turn ended.
 *
 * @internal
 */

/** One uninterrupted piece of one fiber's or one task's work. */
interface Turn {
  readonly who: string
  /** How many operations it had. */
  operations: number
  /** What it said of itself (`Explore.step`), whom it woke, who interrupted it. */
  readonly notes: Array<string | (() => string)>
  /** How the turn ended. */
  end: string
}

/** Written by a run that is recorded, which is one of many: those that are not write nothing. */
export class Trace {
  readonly turns: Array<Turn> = []

  begin(who: string): void {
    this.turns.push({ who, operations: 0, notes: [], end: "" })
  }

  /** Says something of the turn that goes on; as a function where names may yet change. */
  note(text: string | (() => string)): void {
    this.last?.notes.push(text)
  }

  /** Something that happened between turns. */
  between(text: string): void {
    this.turns.push({ who: "", operations: 0, notes: [text], end: "" })
  }

  /** Another operation in the turn that goes on. What a preempted fiber still does belongs to the preemption. */
  operate(): void {
    if (this.last?.end === "") this.last.operations++
  }

  end(text: string): void {
    if (this.last !== undefined) this.last.end = text
  }

  /** How the turn ended, before the operation that began last. */
  preempt(text: string): void {
    if (this.last !== undefined) this.last.operations = 0
    this.end(text)
  }

  get last(): Turn | undefined {
    return this.turns.at(-1)
  }

  toString(): string {
    const width = Math.max(0, ...this.turns.map(({ who }) => who.length))
    const digits = String(this.turns.length).length
    const lines = this.turns.map(({ end, notes, operations, who }, index) => {
      const text = notes.map((note) => (typeof note === "string" ? note : note()))
      if (operations > 0 && text.length === 0) text.push(count(operations, "operation"))
      if (end !== "") text.push(end)
      return `  ${String(index + 1).padStart(digits)}  ${(who || "--").padEnd(width)}  ${text.join("; ")}`
    })
    // Nobody reads more than this, and what repeats for ever repeats here too.
    const elided = lines.length - head - tail
    if (elided > 1) lines.splice(head, elided, `  ... ${count(elided, "more turn")}`)
    return lines.join("\n")
  }
}

/** How many turns are shown, from the beginning and to the end. */
const head = 60
const tail = 20

export const count = (n: number, what: string): string => `${n.toLocaleString("en-US")} ${what}${n === 1 ? "" : "s"}`

/** A piece of somebody's code on one short line. */
export const excerpt = (code: unknown, length = 60): string => {
  const text = String(code).replace(/\s+/g, " ").trim()
  return text.length > length ? `${text.slice(0, length - 3)}...` : text
}

/** An operation of a fiber: which one of its turn it is, and what it does. */
export const operationText = (trace: Trace, operation: unknown): string => {
  const place = `operation ${trace.last?.operations ?? 0}`
  if (operation === undefined) return place
  const { _op, effect_instruction_i0, effect_instruction_i1 } = operation as Record<string, unknown>
  const kind = kinds[String(_op)]
  // A function says most, if it is short. Of Effect's own operations there are only the long and the meaningless.
  const code = _op === "Sync" ? effect_instruction_i0 : _op === "OnSuccess" ? effect_instruction_i1 : undefined
  const text = typeof code === "function" ? excerpt(code, Infinity) : ""
  const shown = text !== "" && text.length <= 72 && !meaningless.has(text) ? `\`${text}\`` : ""
  const details = [kind, shown].filter(Boolean).join(" ")
  return details === "" ? place : `${place} (${details})`
}

/** What Effect calls its operations, as its users do. */
const kinds: Record<string, string> = {
  Async: "a wait",
  Iterator: "Effect.gen",
  OnFailure: "catchAllCause",
  OnSuccess: "flatMap",
  OnSuccessAndFailure: "matchCauseEffect",
  RevertFlags: "the end of a region",
  Success: "succeed",
  Failure: "fail",
  Sync: "sync",
  UpdateRuntimeFlags: "a region that is interruptible or not",
  While: "a loop",
  WithRuntime: "withFiberRuntime",
  Yield: "yieldNow"
}

const meaningless = new Set(["() => void 0", "() => undefined"])
