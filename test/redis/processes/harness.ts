/**
 * Real processes that contend for locks on a server, and the resource that they are to protect: this process. It sees who comes and goes, and it
 * checks tokens.
 */
import { type ChildProcess, fork } from "node:child_process"

/** What a contender is told to do. */
export interface Command {
  readonly kind: "command"
  readonly id: number
  /** To hold a lock for some time; or to take permits, and keep them. */
  readonly what: "section" | "acquire"
  readonly name: string
  readonly limit: number
  readonly permits?: number
  readonly lease: number
  readonly poll?: number
  /** For how many milliseconds. */
  readonly hold: number
  /** For how many of them the event loop is blocked, in the beginning. */
  readonly blocks?: number
  /** Does not mind that its lease is lost: it is for the resource to refuse it. */
  readonly deaf?: boolean
}

/** What the resource is asked. */
export interface Question {
  readonly kind: "question"
  readonly id: number
  readonly what: "enter" | "write" | "exit"
  readonly name: string
  readonly token: number
}

export interface Answer {
  readonly kind: "done"
  readonly id: number
  readonly value?: unknown
  readonly error?: { readonly tag: string; readonly message: string; readonly token?: number }
}

/** Somebody who has entered, and not left yet. */
interface Visit {
  readonly token: number
  readonly permits: number
  readonly contender: Contender
  /** Why it may be there while others are: it was killed, was stopped, or has told that its lease was lost. */
  excuse: string | undefined
}

/** The resource. It refuses a token that is smaller than the largest it has seen, and notes what must not be. */
export class Resource {
  readonly visits = new Map<string, Array<Visit>>()
  readonly latest = new Map<string, number>()
  /** Who was there when there was no room for another. Each needs an excuse in the end. */
  readonly overlaps: Array<{ readonly name: string; readonly visit: Visit; readonly by: number }> = []
  readonly refusals: Array<{ readonly name: string; readonly visit: Visit | undefined; readonly token: number }> = []
  readonly tokens = new Map<string, Array<number>>()
  accepted = 0
  onEnter: ((contender: Contender, token: number) => void) | undefined = undefined

  constructor(readonly limitOf: (name: string) => number) {}

  ask(contender: Contender, { name, token, what }: Question): boolean {
    const visits = this.visits.get(name) ?? []
    this.visits.set(name, visits)
    const isFenced = this.limitOf(name) === 1
    const stale = isFenced && token < (this.latest.get(name) ?? 0)
    if (what === "enter") {
      const tokens = this.tokens.get(name) ?? []
      this.tokens.set(name, tokens)
      tokens.push(token)
      if (!stale && visits.length >= this.limitOf(name)) {
        for (const visit of visits) this.overlaps.push({ name, visit, by: token })
      }
      const visit: Visit = { token, permits: 1, contender, excuse: contender.excuse }
      visits.push(visit)
      contender.visits.add(visit)
      contender.all.set(token, visit)
      if (!stale) this.latest.set(name, Math.max(token, this.latest.get(name) ?? 0))
    }
    const visit = visits.find((visit) => visit.token === token && visit.contender === contender)
    if (what === "exit" && visit !== undefined) this.leave(name, visit)
    if (stale) this.refusals.push({ name, visit, token })
    else this.accepted++
    if (what === "enter") this.onEnter?.(contender, token)
    return !stale
  }

  leave(name: string, visit: Visit): void {
    const visits = this.visits.get(name)!
    const index = visits.indexOf(visit)
    if (index >= 0) visits.splice(index, 1)
    visit.contender.visits.delete(visit)
  }

  /** What must not be: two valid tokens at once, a valid token that was refused, a token that came twice. */
  violations(): ReadonlyArray<string> {
    const all: Array<string> = []
    for (const { by, name, visit } of this.overlaps) {
      // With permits, one excuse makes room for one.
      if (this.limitOf(name) === 1 && visit.excuse === undefined)
        all.push(`${name}: ${visit.token} was there, with a valid lease, when ${by} came`)
    }
    for (const { name, token, visit } of this.refusals) {
      if (visit?.excuse === undefined) all.push(`${name}: ${token} was refused although its lease was valid`)
    }
    for (const [name, tokens] of this.tokens) {
      if (new Set(tokens).size < tokens.length) all.push(`${name}: a token was given twice`)
    }
    return all
  }
}

/** Another process. */
export class Contender {
  readonly visits = new Set<Visit>()
  /** All that it ever made, by their tokens. */
  readonly all = new Map<number, Visit>()
  /** Why its leases may be lost without its knowing. */
  excuse: string | undefined = undefined
  readonly ready: Promise<void>
  readonly ended: Promise<void>
  private readonly child: ChildProcess
  private readonly waiting = new Map<number, (answer: Answer) => void>()
  private commands = 0
  isDead = false

  constructor(
    file: string,
    options: { readonly url: string; readonly prefix: string; readonly offset?: number },
    resource: Resource
  ) {
    const child = fork(file, [JSON.stringify({ offset: 0, ...options })], {
      execArgv: [],
      stdio: ["ignore", "inherit", "inherit", "ipc"]
    })
    this.child = child
    this.ready = new Promise((resolve) => child.once("message", () => resolve()))
    this.ended = new Promise((resolve) =>
      child.once("exit", () => {
        this.isDead = true
        for (const [id, done] of this.waiting)
          done({ kind: "done", id, error: { tag: "Dead", message: "it was killed" } })
        this.waiting.clear()
        resolve()
      })
    )
    child.on("message", (message: Question | Answer | { readonly kind: "ready" }) => {
      if (message.kind === "question") {
        this.send({ kind: "answer", id: message.id, answer: resource.ask(this, message) })
      } else if (message.kind === "done") {
        this.waiting.get(message.id)?.(message)
        this.waiting.delete(message.id)
      }
    })
    child.on("error", () => {})
  }

  get pid(): number {
    return this.child.pid!
  }

  private send(message: object): void {
    if (!this.isDead && this.child.connected) this.child.send(message, () => {})
  }

  /** Tells it to do something; when it has done it, or is dead, that is over. */
  tell(command: Omit<Command, "kind" | "id">): Promise<Answer> {
    const id = this.commands++
    const answer = new Promise<Answer>((resolve) => this.waiting.set(id, resolve))
    if (this.isDead) return Promise.resolve({ kind: "done", id, error: { tag: "Dead", message: "it was killed" } })
    this.send({ kind: "command", id, ...command })
    return answer.then((answer) => {
      // It knows itself that it should not be there any more.
      if (answer.error !== undefined) {
        // (One who does not mind may have left in the meantime.)
        const visit = this.all.get(answer.error.token ?? -1)
        if (visit !== undefined) visit.excuse = answer.error.message
      }
      return answer
    })
  }

  private excuseAll(excuse: string): void {
    this.excuse = excuse
    for (const visit of this.visits) visit.excuse ??= excuse
  }

  async kill(): Promise<void> {
    this.excuseAll("killed")
    this.child.kill("SIGKILL")
    await this.ended
  }

  stop(): void {
    this.excuseAll("stopped")
    this.child.kill("SIGSTOP")
  }

  continue(): void {
    this.child.kill("SIGCONT")
    this.excuse = undefined
  }
}
