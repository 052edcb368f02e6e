/** Bugs in what waits for a store to say that something is so, the distributed event and barrier: see mutants.ts. */
import type { Mutant } from "./mutants.js"

const cleared = "a flag that is set and cleared at once lets go whoever was asked for before, long before the poll"
const again = "an arrival, or a question, whose answer is lost is put again, and counts once"

const event = "DistributedEvent"
const barrier = "DistributedBarrier"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "an event over a store that only looks at the flag",
    primitive: event,
    why: "A flag that is cleared at once is never seen: the waiter sleeps until the next time. (A latch in Redis that is a key.)",
    file: "src/core/latch.ts",
    find: "isSet || (hasGrown && state.looked.has(ticket))",
    replace: "isSet",
    caughtBy: cleared
  },
  {
    name: "an event over a store whose late comers take an old set for theirs",
    primitive: event,
    why: "The count has grown for those who wait, not for whoever has not been asked for yet.",
    file: "src/core/latch.ts",
    find: "(hasGrown && state.looked.has(ticket))",
    replace: "hasGrown",
    caughtBy: "whoever comes after it was cleared is not let go by that, and is by the next pulse"
  },
  {
    name: "an event over a store that gives up at the first failure",
    primitive: event,
    why: "A connection that breaks fails what is in flight at once, and is there again soon.",
    file: "src/core/latch.ts",
    find: "  if (!state.hasFailed) return",
    replace: "  if (state.hasFailed) return",
    caughtBy:
      "a question that fails is put once more: nobody hears of it, and no wake-up is lost, whoever is interrupted"
  },
  {
    name: "a watcher that does not look again when it begins to hear",
    primitive: event,
    why: "What was changed between the question and the watch: check, watch, check.",
    file: "src/core/watcher.ts",
    find: "        this.isTold = false\n        this.changed()",
    replace: "        this.isTold = false",
    caughtBy: cleared
  },
  {
    name: "an event over a store that watches for ever",
    primitive: event,
    why: "A subscription for each name that was ever waited for.",
    file: "src/core/latches.ts",
    find: "    else if (state.waiting.size === 0) line.watcher.end()\n",
    replace: "",
    caughtBy: cleared
  },
  {
    name: "a barrier over a store whose party does not withdraw",
    primitive: barrier,
    why: "The others pass with one who has gone, or wait until its lease ends and are broken.",
    file: "src/core/parties.ts",
    find: "if (core.cancel(arrival, ticket)) this.withdraw(arrival)",
    replace: "core.cancel(arrival, ticket)",
    caughtBy: "whoever is interrupted withdraws, unless all have passed, and another takes the place"
  },
  {
    name: "a barrier over a store that is not broken by a party that leaves",
    primitive: barrier,
    why: "The others wait for a party that does not come any more: nothing takes its place where that was chosen.",
    file: "src/core/parties.ts",
    find: "breaks: this.config.breaks",
    replace: "breaks: false",
    caughtBy: "whoever is interrupted breaks the barrier if that was chosen: the other passes, or is told"
  },
  {
    name: "a barrier over a store that fails where an answer was lost",
    primitive: barrier,
    why: "The party has arrived; the others pass with it, and it has failed.",
    file: "src/core/party.ts",
    find: `status === "new" && hasFailed`,
    replace: `status === "new"`,
    caughtBy: again
  },
  {
    name: "a barrier over a store that asks for ever",
    primitive: barrier,
    why: "A store that is gone keeps those who wait, however long.",
    file: "src/core/party.ts",
    find: `  else if (status === "arrived" && deadline <= now) decide(party, { kind: "lost", loss: lost(party, "expired") })\n`,
    replace: "",
    caughtBy: "whoever waits for a store that does not answer any more is told by his own clock"
  },
  {
    name: "a barrier over a store that waits for the poll when a question has failed",
    primitive: barrier,
    why: "The message came before it: what the failed question would have said, nobody says again until the poll.",
    file: "src/core/party.ts",
    find: "  else if (!hasFailed) lookout.changed(state, now)\n",
    replace: "",
    caughtBy: "a question that fails when all have passed is put again, long before the poll"
  }
]
