/** Bugs in what acts by the clock; see `mutants.ts`. */
import type { Mutant } from "./mutants.js"

const bulkhead: ReadonlyArray<Mutant> = [
  {
    name: "a bulkhead that asks for room a turn before it takes it",
    primitive: "Bulkhead",
    why: "Two who ask in between both find the last place: a semaphore's operation with a question before it.",
    file: "src/Bulkhead.ts",
    find: `      const of = state.semaphore
      const held = () => holding(restore(self), () => wake(semaphore.release(of, 1)))
      if (semaphore.tryTake(of, 1, 0)) return held()
      const ticket = new FiberTicket<number, semaphore.Grant>(1, 0, "a permit of a bulkhead")
      semaphore.enqueue(of, ticket)
      return park(restore, ticket, () => semaphore.cancel(of, ticket), held)`,
    replace: `      return Effect.flatMap(Effect.yieldNow(), () => {
        const of = state.semaphore
        const held = () => holding(restore(self), () => wake(semaphore.release(of, 1)))
        if (semaphore.tryTake(of, 1, 0)) return held()
        const ticket = new FiberTicket<number, semaphore.Grant>(1, 0, "a permit of a bulkhead")
        semaphore.enqueue(of, ticket)
        return park(restore, ticket, () => semaphore.cancel(of, ticket), held)
      })`,
    caughtBy: "whoever is accepted runs, and as many are refused as have no place",
    model: "aggressive"
  },
  {
    name: "a bulkhead with a place too many",
    primitive: "Bulkhead",
    why: "A fencepost.",
    file: "src/core/bulkhead.ts",
    find: "if (of.waiting.size < backlog ||",
    replace: "if (of.waiting.size <= backlog ||",
    caughtBy: "whoever is accepted runs, and as many are refused as have no place",
    model: "elastic"
  },
  {
    name: "a bulkhead with a place too few",
    primitive: "Bulkhead",
    why: "A fencepost, the other way.",
    file: "src/core/bulkhead.ts",
    find: "if (of.waiting.size < backlog ||",
    replace: "if (of.waiting.size + 1 < backlog ||",
    caughtBy: "whoever is accepted runs, and as many are refused as have no place"
  },
  {
    name: "a bulkhead whose waiter takes his place along when he is interrupted",
    primitive: "Bulkhead",
    why: "Whoever leaves the line has to be taken out of it.",
    file: "src/Bulkhead.ts",
    find: "() => semaphore.cancel(of, ticket),",
    replace: "() => (ticket.settled ? semaphore.cancel(of, ticket) : undefined),",
    caughtBy:
      "no more are inside than there are permits, no more wait than may, and all places come back, whoever is interrupted"
  },
  {
    name: "a bulkhead that keeps what was granted to one who is gone",
    primitive: "Bulkhead",
    why: "The permit came in the tick of the interruption.",
    file: "src/Bulkhead.ts",
    find: "() => semaphore.cancel(of, ticket),",
    replace: "() => (ticket.settled ? undefined : semaphore.cancel(of, ticket)),",
    caughtBy: "who is interrupted while he waits leaves his place to the next"
  },
  {
    name: "a bulkhead that refuses who cannot run at once, though there is a place to wait",
    primitive: "Bulkhead",
    why: "The question is put to the permits alone.",
    file: "src/core/bulkhead.ts",
    find: "if (of.waiting.size < backlog || semaphore.available(of, 1, 0)) return undefined",
    replace: "if (semaphore.available(of, 1, 0)) return undefined",
    caughtBy: "whoever is accepted runs, and as many are refused as have no place"
  },
  {
    name: "a bulkhead that starts what was aborted after its grant",
    primitive: "Bulkhead",
    why: "Between a grant and the reaction to it lies a step of promises, and in that the signal may abort: nobody looks again.",
    file: "src/promise/permits.ts",
    find: "options ? () => (checkWait(where, options), f()) : f",
    replace: "f",
    caughtBy: "promises: what is aborted between its grant and its start does not start, and its permit goes on"
  }
]

const circuitBreaker: ReadonlyArray<Mutant> = [
  {
    name: "a breaker whose sample loses the place of one who is interrupted",
    primitive: "CircuitBreaker",
    why: "It counts neither way, so nothing is done: and nobody is ever let through again.",
    file: "src/CircuitBreaker.ts",
    find: "if (isInterruptedOnly(cause)) circuit.leave(epoch)\n          else circuit.failed",
    replace: "if (!isInterruptedOnly(cause)) circuit.failed",
    caughtBy: "half open, no more run than the sample, and each place is free again, whoever is interrupted"
  },
  {
    name: "a breaker whose sample loses the place of an async function that is aborted",
    primitive: "CircuitBreaker",
    why: "The same in the facade.",
    file: "src/promise/CircuitBreaker.ts",
    find: "if (signal?.aborted) circuit.leave(epoch)\n        else circuit.failed(epoch, error)",
    replace: "if (!signal?.aborted) circuit.failed(epoch, error)",
    caughtBy: "promises: half open, no more run than the sample, and each place is free again, whoever is aborted"
  },
  {
    name: "a breaker to which late calls count",
    primitive: "CircuitBreaker",
    why: "What began before it opened is taken for one of the sample. Most breakers do that.",
    file: "src/core/breaker.ts",
    find: `export const success = (state: State, epoch: number, now: number): void => {
  if (epoch !== state.epoch) return`,
    replace: `export const success = (state: State, epoch: number, now: number): void => {
  if (epoch < 0) return`,
    caughtBy: "what began before it was opened does not close it, whenever it ends"
  },
  {
    name: "a breaker with a sample too large",
    primitive: "CircuitBreaker",
    why: "A fencepost.",
    file: "src/core/breaker.ts",
    find: `if (state.phase === "open" || places(state) === 0) {`,
    replace: `if (state.phase === "open" || places(state) < 0) {`,
    caughtBy: "half open, no more run than the sample, and each place is free again, whoever is interrupted"
  },
  {
    name: "a breaker that takes a place in the sample in a turn of its own",
    primitive: "CircuitBreaker",
    why: "Two who come at once are both let through: the check and the act are two steps.",
    file: "src/CircuitBreaker.ts",
    find: `      const epoch = circuit.begin()
      if (typeof epoch !== "number") return Effect.fail(epoch)
      return Effect.matchCauseEffect(restore(self), {`,
    replace: `      const epoch = circuit.begin()
      if (typeof epoch !== "number") return Effect.fail(epoch)
      circuit.state.running--
      return Effect.matchCauseEffect(restore(Effect.zipRight(Effect.sync(() => circuit.state.running++), self)), {`,
    caughtBy: "half open, no more run than the sample, and each place is free again, whoever is interrupted",
    model: "elastic"
  },
  {
    name: "a breaker that takes an interruption for a failure",
    primitive: "CircuitBreaker",
    why: "Callers who give up open it, and nothing is wrong with what they called.",
    file: "src/CircuitBreaker.ts",
    find: "if (isInterruptedOnly(cause)) circuit.leave(epoch)\n          else circuit.failed",
    replace: "circuit.failed",
    caughtBy: "half open, no more run than the sample, and each place is free again, whoever is interrupted"
  },
  {
    name: "a breaker that is opened by hand when its time is over, and tells nobody",
    primitive: "CircuitBreaker",
    why: "It was open, and is open; that it was half open in between is seen by the stats only. The first draft.",
    file: "src/core/circuit.ts",
    find: "    this.change(() => core.expire(this.state, now))\n",
    replace: "",
    caughtBy: "promises: who is told of the changes misses none, and each begins where the one before has ended"
  }
]

const rateLimiter: ReadonlyArray<Mutant> = [
  {
    name: "a rate limiter that keeps what it granted to a caller who has gone",
    primitive: "RateLimiter",
    why: "Every promise limiter that we know: the token of an aborted wait is spent.",
    file: "src/core/rateLimiter.ts",
    find: `  key.usage.giveBack(now, grant)\n`,
    replace: "",
    caughtBy: "what consume was granted and did not hand over goes to the next"
  },
  {
    name: "a rate limiter that lets those behind wait for one who has gone",
    primitive: "RateLimiter",
    why: "A large cost leaves the head of the line, and nobody looks at who is next.",
    file: "src/core/rateLimiter.ts",
    find: `  remove(ticket)\n  return due(key, now)`,
    replace: `  remove(ticket)\n  return undefined`,
    caughtBy: "those behind a wait that is given up go at once"
  },
  {
    name: "a rate limiter that lets a newcomer overtake those who wait",
    primitive: "RateLimiter",
    why: "It asks for room only, and a small cost fits before a large one.",
    file: "src/core/rate.ts",
    find: "at <= now && ahead === undefined ? usage.take",
    replace: "usage.availableAt(now, cost) <= now ? usage.take",
    caughtBy: "in order of arrival, whatever the cost, and tryConsume overtakes nobody"
  },
  {
    name: "a rate limiter that lets one who would wait overtake those who do",
    primitive: "RateLimiter",
    why: "A stream of small costs, and the large one never has its turn.",
    file: "src/core/rateLimiter.ts",
    find: "key.line.size === 0 && key.usage.availableAt(now, cost) <= now",
    replace: "key.usage.availableAt(now, cost) <= now",
    caughtBy: "in order of arrival, whatever the cost, and tryConsume overtakes nobody"
  },
  {
    name: "a rate limiter that sets no timer for the next in line",
    primitive: "RateLimiter",
    why: "The first of a line is granted, and the second waits for ever.",
    file: "src/core/limiter.ts",
    find: `    const chain = core.due(key, now)\n    this.arm(key)`,
    replace: `    const chain = core.due(key, now)`,
    caughtBy: "no interval has more than the limit, and nothing is lost, whoever is interrupted"
  },
  {
    name: "a reservation that tells nobody that it is over",
    primitive: "RateLimiter",
    why: "Several wait for one reservation, and hear nothing when it is cancelled.",
    file: "src/core/limiter.ts",
    find: `    wake(event.set(this.over))\n`,
    replace: "",
    caughtBy: "a reservation comes, or is cancelled, for all who wait for it; and those behind it go"
  },
  {
    name: "a rate limiter that keeps what a store granted to a caller who has gone meanwhile",
    primitive: "RateLimiter",
    why: "The answer finds nobody, and is thrown away: what it took is lost until the window has passed.",
    file: "src/core/storeLimiter.ts",
    find: `    this.giveBack(key.name, back)\n`,
    replace: "",
    caughtBy:
      "over a store that answers late: no more begin than it granted, and all else goes back to it, whoever is interrupted"
  },
  {
    name: "a rate limiter that keeps what a store granted to an effect that did not begin",
    primitive: "RateLimiter",
    why: "Only who is in line is looked after.",
    file: "src/core/storeLimiter.ts",
    find: `    else this.giveBack(key.name, step.back)\n`,
    replace: "",
    caughtBy:
      "over a store that answers late: no more begin than it granted, and all else goes back to it, whoever is interrupted"
  },
  {
    name: "a rate limiter that sleeps on a refusal from before something went back to the store",
    primitive: "RateLimiter",
    why: "The refusal and what was given back cross each other on the way.",
    file: "src/core/rateStore.ts",
    find: `  key.returns++\n  key.refusal = undefined\n`,
    replace: `  key.returns++\n`,
    caughtBy: "over a store: what goes back lets the next ask again at once, whoever is interrupted"
  },
  {
    name: "a rate limiter that asks a store anew for each who comes",
    primitive: "RateLimiter",
    why: "Nobody looks whether a question is in flight: whose answer comes first goes first.",
    file: "src/core/rateStore.ts",
    find: "key.question !== undefined || key.open === undefined",
    replace: "key.open === undefined",
    caughtBy:
      "over a store that answers late: no more begin than it granted, and all else goes back to it, whoever is interrupted"
  },
  {
    name: "a rate limiter whose line ends with a store's failure",
    primitive: "RateLimiter",
    why: "Those who were asked for are told; nobody asks for the next.",
    file: "src/core/storeLimiter.ts",
    find: `        if (step.isUnheard) this.port.report(key.name, failure)\n        this.proceed(key, step)`,
    replace: `        if (step.isUnheard) this.port.report(key.name, failure)\n        wake(step.chain)`,
    caughtBy: "over a store that fails: its error is of those who were asked for, and the next have their turn"
  },
  {
    name: "a rate limiter that keeps what a store granted ahead to a caller who leaves before its time",
    primitive: "RateLimiter",
    why: "Its place in line is free, and the units that were to come are nobody's.",
    file: "src/core/rateStore.ts",
    find: "allot(state, key, hasUnits ? cost : 0, undefined)",
    replace: "allot(state, key, 0, undefined)",
    caughtBy:
      "over a store that is far away: what it grants ahead is used at its time or goes back, whoever is interrupted"
  },
  {
    name: "a rate limiter that lets go at once whom a store has granted units for later",
    primitive: "RateLimiter",
    why: "Granted is granted; nobody looks for when.",
    file: "src/core/rateStore.ts",
    find: "at: Math.max(now + delay, lastSlotAt(key))",
    replace: "at: now",
    caughtBy:
      "over a store that is far away: what it grants ahead is used at its time or goes back, whoever is interrupted"
  }
]

const retry: ReadonlyArray<Mutant> = [
  {
    name: "a retry that does not wait for the cleanup of an attempt that takes too long",
    primitive: "Retry",
    why: "Two attempts at a time, and what the first holds is not there for the second. What a race with a timer does.",
    file: "src/Retry.ts",
    find: `{ name: "attempt" }`,
    replace: `{ name: "attempt", grace: 0 }`,
    caughtBy: "an attempt that takes too long is stopped before the next begins, wherever the caller is interrupted"
  },
  {
    name: "a budget of retries that lends a token",
    primitive: "Retry",
    why: "A fencepost.",
    file: "src/core/budget.ts",
    find: "if (state.tokens < one) {",
    replace: "if (state.tokens < 0) {",
    caughtBy: "a budget that two share is not overdrawn, whoever is interrupted"
  },
  {
    name: "a budget of retries that each retry fills again",
    primitive: "Retry",
    why: "An attempt is taken for a request: then an outage pays for itself.",
    file: "src/core/retry.ts",
    find: `  const previous = hint === undefined ? delay : state.previous`,
    replace: `  if (policy.budget !== undefined) budget.request(policy.budget[budget.TypeId])
  const previous = hint === undefined ? delay : state.previous`,
    caughtBy: "a budget that two share is not overdrawn, whoever is interrupted"
  },
  {
    name: "a retry of promises whose attempts cannot be told to stop",
    primitive: "Retry",
    why: "The attempt goes on when its caller has given up: the running attempt of p-retry is not cut either.",
    file: "src/promise/Retry.ts",
    find: "return this.limit === undefined ?",
    replace: "return this.attempt > 0 ?",
    caughtBy: "promises: one attempt at a time, and none after the end, whoever is aborted"
  },
  {
    name: "a retry of promises that leaves its attempt when it is aborted",
    primitive: "Retry",
    why: "A race with the signal: whoever aborts believes that it is over.",
    file: "src/promise/Retry.ts",
    find: `{ name: "attempt", signal, grace, onError })`,
    replace: `{ name: "attempt", signal, grace: 0, onError })`,
    caughtBy: "promises: one attempt at a time, and none after the end, whoever is aborted"
  },
  {
    name: "a retry that keeps the token of one who is interrupted in its pause",
    primitive: "Retry",
    why: "It is taken when the retry is decided, and spent on none: callers who give up empty the budget of the others.",
    file: "src/Retry.ts",
    find: `          giveBack()
          return Effect.failCause(cause)`,
    replace: "          return Effect.failCause(cause)",
    caughtBy: "whoever is interrupted in a pause leaves its token of the budget to the next"
  }
]

const httpLimits: ReadonlyArray<Mutant> = [
  {
    name: "a client that reads the body of a refusal beside the next request",
    primitive: "HttpLimits",
    why: "Nobody waits for it, so the connection is not free, and the next request opens another.",
    file: "src/HttpLimits.ts",
    find: "Effect.ignore(timeout(100)(",
    replace: "Effect.forkDaemon(timeout(100)(",
    caughtBy:
      "places come back, bodies are read before the next request, and nobody asks too early, whoever is interrupted"
  },
  {
    name: "a client that reads the body of a refusal, however long that takes",
    primitive: "HttpLimits",
    why: "A server that is in trouble may never end it.",
    file: "src/HttpLimits.ts",
    find: "timeout(100)(Stream.runDrain(response.stream as Stream.Stream<unknown, unknown>))",
    replace: "Stream.runDrain(response.stream as Stream.Stream<unknown, unknown>)",
    caughtBy: "a body that never ends keeps nobody for long"
  },
  {
    name: "a client that does not hear when it is to come back",
    primitive: "HttpLimits",
    why: "The header is looked for in errors only, and a client that does not fail on a status gives a response.",
    file: "src/HttpLimits.ts",
    find: "    retryAfterResult: given.retryAfterResult ?? retryAfter,\n",
    replace: "",
    caughtBy: "a pause that the server asks for keeps no place, and ends at once with an interruption"
  },
  {
    name: "a client whose place goes with one who is interrupted",
    primitive: "HttpLimits",
    why: "Take, request, give back: three operations, and nothing that holds them together.",
    file: "src/HttpLimits.ts",
    find: `return HttpClient.transformResponse(withPermit as Semaphore.Semaphore["withPermit"])`,
    replace: `return HttpClient.transformResponse((self) => Effect.zipLeft(Effect.zipRight((limit as any).take(1), self), (limit as any).release(1)) as any)`,
    caughtBy:
      "places come back, bodies are read before the next request, and nobody asks too early, whoever is interrupted"
  }
]

const pacing: ReadonlyArray<Mutant> = [
  {
    name: "a debounce whose run dies with the caller who leaves last",
    primitive: "Debounce",
    why: "The caller who leaves is taken for the owner of the run.",
    file: "src/core/pacing.ts",
    find: `  if (ticket.settled) run.heard--
  else waitList.remove(ticket)
  return undefined`,
    replace: `  if (ticket.settled) run.heard--
  else waitList.remove(ticket)
  if (run.waiting.size === 0 && run.line.pending === run) { run.line.pending = undefined; run.status = "cancelled"; run.end = { failed: false, value: undefined, account: undefined } }
  return undefined`,
    caughtBy: "what was called is run, with the latest arguments, also when its callers have gone",
    model: "elastic"
  },
  {
    name: "a debounce that begins a run while another is in progress",
    primitive: "Debounce",
    why: "A burst begins while a run is slow, and its own begins beside it.",
    file: "src/core/pacing.ts",
    find: `if (pending === undefined || running !== undefined || dueAt`,
    replace: `if (pending === undefined || (running !== undefined && !pending.atOnce) || dueAt`,
    caughtBy: "closing runs all that was taken in, and takes nothing more"
  },
  {
    name: "a debounce that forgets to go on after a run",
    primitive: "Debounce",
    why: "What came during a run has nobody to start it.",
    file: "src/core/pacer.ts",
    find: `    if (line.pending === undefined || this.runner.after === undefined) this.proceed(line, this.time.now())`,
    replace: `    if (line.pending === undefined) this.proceed(line, this.time.now())`,
    caughtBy: "every caller that stays has the result of a run, of which no two overlap"
  },
  {
    name: "a debounce whose flush is over before the run",
    primitive: "Debounce",
    why: "It waits for what runs, and not for what it has just started.",
    file: "src/core/pacing.ts",
    find: `    for (const run of [running, pending]) {`,
    replace: `    for (const run of [running]) {`,
    caughtBy: "flush: what was called before has run when it is over, and the timer does not run it again"
  },
  {
    name: "a throttle that counts from when a run was started, and not from when it began",
    primitive: "Throttle",
    why: "A busy event loop shortens the interval: found by the explorer in the first draft.",
    file: "src/core/pacer.ts",
    find: `    core.begun(this.state, run, this.time.now())`,
    replace: `    void run`,
    caughtBy: "every caller that stays has the result of a run, of which no two overlap",
    model: "elastic"
  },
  {
    name: "a throttle in which a call that comes before a late run begins is still a leading edge",
    primitive: "Throttle",
    why: "The other half of the same.",
    file: "src/core/pacing.ts",
    find: `  if (line.pending !== undefined && line.pending.flushes === undefined) line.pending.atOnce = false`,
    replace: ``,
    caughtBy: "every caller that stays has the result of a run, of which no two overlap",
    model: "elastic"
  },
  {
    name: "a debounce that loses a failure whose callers leave in the tick of its end",
    primitive: "Debounce",
    why: "Those who would have heard of it are gone, and nobody else is told.",
    file: "src/core/pacer.ts",
    find: `    const failure = core.late(run)
    if (failure !== undefined) this.runner.report(failure, () => {})`,
    replace: `    void core.late(run)`,
    caughtBy: "a failure has its callers, or is reported, once, also in the tick of the interruption"
  },
  {
    name: "a debounce that takes calls while it is closing",
    primitive: "Debounce",
    why: "It closes once it is empty, and so perhaps never.",
    file: "src/core/pacer.ts",
    find: `    core.close(this.state)
    if (this.state.onClose === "cancel") this.drop("closed", this.lines([]))`,
    replace: `    queueMicrotask(() => core.close(this.state))`,
    caughtBy: "closing runs all that was taken in, and takes nothing more"
  },
  {
    name: "a debounce whose cancelled callers are not told",
    primitive: "Debounce",
    why: "A promise that never settles: what `clear()` of other libraries does.",
    file: "src/core/pacer.ts",
    find: `    wake(chain)
    return runs.reduce`,
    replace: `    return runs.reduce`,
    caughtBy: "cancel in the tick in which a run is due: a call has its run, or is cancelled, and not both"
  }
]

const policy: ReadonlyArray<Mutant> = [
  {
    name: "a policy that leaves out the innermost of its parts",
    primitive: "Policy",
    why: "A fencepost.",
    file: "src/Policy.ts",
    find: "policies.reduceRight((inner, policy)",
    replace: "policies.slice(0, -1).reduceRight((inner, policy)",
    caughtBy: "timeout, retry and bulkhead together: places come back, and no work goes on that was not let in"
  }
]

const timeout: ReadonlyArray<Mutant> = [
  {
    name: "a timeout that leaves its work when its caller is interrupted",
    primitive: "Timeout",
    why: "It tells its work to stop, and goes on before that has.",
    file: "src/Timeout.ts",
    find: "return Effect.flatMap(settlement, () => result(worker, child, interruption))",
    replace: "return Effect.failCause(interruption)",
    caughtBy: "the work has ended when its caller has, whoever was first: the work, the deadline, or an interruption"
  },
  {
    name: "a timeout that loses what its work took",
    primitive: "Timeout",
    why: "What is taken is carried by the fiber that works, and goes back when that has ended, although the caller has it.",
    file: "src/Timeout.ts",
    find: "parcelIn(exit)?.carriedBy(caller)",
    replace: "void parcelIn(exit)",
    caughtBy: "an item that is taken under a deadline is given, or stays where it was",
    model: "aggressive"
  }
]

export const mutants: ReadonlyArray<Mutant> = [
  ...bulkhead,
  ...circuitBreaker,
  ...rateLimiter,
  ...timeout,
  ...retry,
  ...pacing,
  ...policy,
  ...httpLimits
]
