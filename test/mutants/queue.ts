/** Bugs in the distributed queue: see mutants.ts. */
import type { Mutant } from "./mutants.js"

const core = "src/core/deliveryLine.ts"
const skin = "src/internal/deliverer.ts"

const primitive = "DistributedQueue"
const lossless = "no item is lost or done twice, whoever is interrupted, also in the tick of a delivery"
const handsBack =
  "a consumer that is interrupted hands back what is not done, and another does it; each once, and no more leased than hands"
const answers =
  "when a question is lost, or its answer, nothing of it is: what it delivered comes back at once, and what it settled is settled"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "a queue that loses what it delivered in the tick of an interruption",
    primitive,
    why: "The canceller takes a settled ticket for done with. (The item comes back, but only when its lease ends.)",
    file: core,
    find: `  if (result?.kind === "given") giveBack(state, result.held, now, done)\n`,
    replace: "",
    caughtBy: lossless
  },
  {
    name: "a queue that keeps what comes for one who has gone",
    primitive,
    why: "@effect/experimental's PersistedQueue: what is popped for an interrupted taker lies in a mailbox that nobody reads.",
    file: core,
    find: "  if (ticket === undefined) giveBack(state, held, now, done)\n  else done.chain",
    replace: "  if (ticket !== undefined) done.chain",
    caughtBy: lossless
  },
  {
    name: "a queue that forgets what a lost answer may have delivered",
    primitive,
    why: "Nobody gives it back: the item waits for the end of a lease that nobody holds, and an attempt has failed.",
    file: core,
    find: "  const again = request.take.map((delivery) => unknown(delivery, sentAt + settings.lease))",
    replace: "  const again: Array<Settling> = []",
    caughtBy: answers
  },
  {
    name: "a queue that forgets what it settled when the answer is lost",
    primitive,
    why: "If the question was lost, and not its answer, the item is done again.",
    file: core,
    find: "    if (one.until > now) again.push({ ...one, waiting: undefined, tried: true })\n    else untold(one, done)",
    replace: "    untold(one, done)",
    caughtBy: answers
  },
  {
    name: "a queue that watches for ever",
    primitive,
    why: "A subscription is left for each queue that somebody has waited at.",
    file: "src/core/deliverer.ts",
    find: "      this.unwatch?.()\n",
    replace: "",
    caughtBy: "whoever waits is given what is offered then, and a taker who is gone leaves it to the next"
  },
  {
    name: "a consumer that hands back what its handler has just done",
    primitive,
    why: "The interruption and the end of the handler come in the same tick: what the handler gave is thrown away. A race does that.",
    file: skin,
    find: "          onFailure: stopped,",
    replace: "          onFailure: () => Effect.map(stopped(), () => void (work.exit = Exit.interrupt(caller.id()))),",
    caughtBy: handsBack
  }
]
