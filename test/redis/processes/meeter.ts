/**
 * A process that waits for events and arrives at barriers, as its parent tells it. It tells its parent when the store has been asked for it, and what
 * has become of it. See `meetings.ts`.
 */
import { StoreError } from "../../../src/core/storeError.js"
import { DistributedBarrier } from "../../../src/promise/distributed/DistributedBarrier.js"
import { DistributedEvent } from "../../../src/promise/distributed/DistributedEvent.js"
import type { LatchStore } from "../../../src/promise/distributed/latches.js"
import type { PartyStore } from "../../../src/promise/distributed/parties.js"
import { connect } from "../../../src/redis/connect.js"
import { RedisLatches } from "../../../src/redis/latches.js"
import { RedisParties } from "../../../src/redis/parties.js"
import type { MeeterCommand, MeeterNews, MeeterOptions } from "./meetings.js"

const { lease, poll, prefix, url } = JSON.parse(process.argv[2]!) as MeeterOptions

// What is reported is not looked at here.
console.error = () => {}

const tell = (news: MeeterNews): void => void process.send!(news)

const connection = connect({ url, prefix })

/** Questions are numbered. A wait has been asked for when one is answered that was put after the wait had begun. */
let questions = 0
const unasked = new Map<number, { readonly name: string; readonly since: number }>()
const latches = new RedisLatches(connection)
const latchStore: LatchStore = {
  set: (request) => latches.set(request),
  clear: (name) => latches.clear(name),
  pulse: (name) => latches.pulse(name),
  watch: (name, changed) => latches.watch(name, changed),
  look: async (name) => {
    const number = ++questions
    const look = await latches.look(name)
    for (const [id, wait] of unasked) {
      if (wait.since >= number || wait.name !== name) continue
      unasked.delete(id)
      tell({ kind: "asked", id })
    }
    return look
  }
}

/** Which arrival a party is. Its first question is put in the step in which it begins to wait. */
const arrivals = new Map<string, number>()
let beginning = -1
const parties = new RedisParties(connection)
const partyStore: PartyStore = {
  arrive: async (request) => {
    const id = arrivals.get(request.party) ?? beginning
    arrivals.set(request.party, id)
    const answer = await parties.arrive(request)
    tell({ kind: "asked", id })
    return answer
  },
  renew: (request) => parties.renew(request),
  withdraw: async (request) => {
    await parties.withdraw(request)
    tell({ kind: "withdrawn", id: arrivals.get(request.party)! })
  },
  reset: (name) => parties.reset(name),
  abort: (name) => parties.abort(name),
  isBroken: (name) => parties.isBroken(name),
  watch: (name, changed) => parties.watch(name, changed)
}

const event = new DistributedEvent(latchStore, { poll })
const barriers = new Map<number, DistributedBarrier>()
const barrierOf = (parties: number): DistributedBarrier => {
  const barrier = barriers.get(parties) ?? new DistributedBarrier(partyStore, { parties, lease, poll })
  barriers.set(parties, barrier)
  return barrier
}

const leaving = new Map<number, AbortController>()

const perform = async (command: MeeterCommand, signal: AbortSignal): Promise<string> => {
  const { id, name = "" } = command
  switch (command.kind) {
    case "await":
      unasked.set(id, { name: `event:${name}`, since: questions })
      await event.wait(name, { signal })
      return "so"
    case "pulse":
      await event.pulse(name)
      return "done"
    case "set":
      await event.set(name)
      await event.clear(name)
      return "done"
    case "arrive":
      beginning = id
      return `${await barrierOf(command.parties).wait(name, { signal })}`
    default:
      return `${[event, ...barriers.values()].reduce((sum, each) => sum + each.stats().waiting, 0)}`
  }
}

process.on("message", (command: MeeterCommand) => {
  const { id } = command
  if (command.kind === "leave") {
    leaving.get(id)?.abort(new Error("left"))
    return
  }
  const leave = new AbortController()
  leaving.set(id, leave)
  void perform(command, leave.signal)
    .catch((error: unknown) =>
      error instanceof StoreError ? `StoreError ${error.message}` : ((error as { _tag?: string })._tag ?? `${error}`)
    )
    .then((outcome) => {
      unasked.delete(id)
      leaving.delete(id)
      tell({ kind: "over", id, outcome })
    })
})

process.on("disconnect", () => process.exit())

// What is to be seen is not how long it takes to connect.
const connected = async (): Promise<void> => {
  while (!(await connection.send("PING").catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 10))
}
void connected().then(() => tell({ kind: "ready" }))
