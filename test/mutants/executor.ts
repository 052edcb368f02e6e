/** Bugs in the executor: see mutants.ts. */
import type { Mutant } from "./mutants.js"

const core = "src/core/executor.ts"
const skin = "src/Executor.ts"

const primitive = "Executor"
const once = "each job is begun once, and ends, whoever is interrupted; no worker is left"
const room = "room is given back, wherever whoever waits for it is interrupted"
const stops = "whoever gives up a job waits until it has stopped, or its worker was ended; the next one has a worker"

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "an executor that gives back the room of a job which never had any",
    primitive,
    why: "One that waits outside has taken none.",
    file: core,
    find: "const over = waitList.has(state.outside, call) ? finish : end",
    replace: "const over = end",
    caughtBy: room
  },
  {
    name: "an executor that lets nobody in when room is free",
    primitive,
    why: "The lost wake-up.",
    file: core,
    find: "  while (state.outside.size > 0 && hasRoom(state)) chain = enter(state, chain, waitList.shift(state.outside)!)\n",
    replace: "",
    caughtBy: room
  },
  {
    name: "an executor whose caller goes before the job has stopped",
    primitive,
    why: "It is told to stop, and nobody waits for that.",
    file: skin,
    find: "return Effect.zipRight(ticket.settlement, Effect.failCause(cause))",
    replace: "return Effect.failCause(cause)",
    caughtBy: stops
  },
  {
    name: "an executor that leaves a job in line when whoever waits for it has gone",
    primitive,
    why: "Only what runs is told.",
    file: core,
    find: '  if (job.phase === "queued") {\n    const over',
    replace: '  if (job.phase === "queued" && state.workers.size > 9) {\n    const over',
    caughtBy: once
  },
  {
    name: "an executor that lets a job which was told to stop run on for ever",
    primitive,
    why: "The grace is over, and nobody looks.",
    file: core,
    find: 'return job.phase === "stopping" ? kill(state, job.worker!, now) : undefined',
    replace: "return undefined",
    caughtBy: stops
  },
  {
    name: "an executor that ends a worker before its job could stop",
    primitive,
    why: "It is told, and has no time for it.",
    file: core,
    find: "setTime(state, call, now + state.settings.grace)",
    replace: "setTime(state, call, now + 1)",
    caughtBy: stops
  },
  {
    name: "an executor that has closed while its workers still go",
    primitive,
    why: "Closing promises that no thread and no process is left.",
    file: core,
    find: 'for (const { going } of state.leaving) if (going !== "left") return undefined',
    replace: 'for (const { going } of state.leaving) if (going === "killed") return undefined',
    caughtBy: once
  },
  {
    name: "an executor that leaves a worker behind which had no time to end",
    primitive,
    why: "A killed worker ends a little later, not at once.",
    file: core,
    find: "worker.leaveBy = now + Math.max(state.settings.grace, endsWithin)",
    replace: "worker.leaveBy = now + 1",
    caughtBy: "closing waits for a worker that was killed and takes its time to end"
  },
  {
    name: "an executor that runs again what its dead worker had begun",
    primitive,
    why: "Nobody knows how far it has come.",
    file: core,
    find: "let chain = bereave(state, worker, tellOf)",
    replace: "let chain = bereave(state, worker, (call) => (call.request.id > 9 ? tellOf(call) : undefined))",
    caughtBy: "a worker that ends while its job is being given up costs nobody else anything"
  },
  {
    name: "an executor in which a wait for workers outlives them",
    primitive,
    why: "Closing has told all but these.",
    file: core,
    find: '  return waitList.settleAll(state.warming, chain, new ExecutorClosed("warmUp", false))',
    replace: "  return chain",
    caughtBy: "a wait for workers ends when they are there, or when there will be none, whoever is interrupted"
  }
]
