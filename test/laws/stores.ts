/** Stores as the laws see them: opened, disturbed, and shown to either skin. */
import { Effect } from "effect"

export interface OpenStore<S> {
  readonly store: S
  /** Lets so many milliseconds pass, and no fewer. */
  advance(milliseconds: number): Promise<void>
  close(): Promise<void>
}

export interface StoreSkin<S> {
  readonly name: string
  /** A store with nothing in it. */
  open(): Promise<OpenStore<S>>
  /** How many milliseconds a few calls, or `advance`, may take longer than they should. Default 0. */
  readonly slack?: number
}

/** Several made from what this gives share what they keep: as several processes do. */
export interface StoreFactory<S> {
  readonly name: string
  open(): Promise<{ readonly connect: () => S; readonly close: () => Promise<void> }>
}

/** A store that answers with promises, or at once, as fibers see it. What it rejects with is a failure. */
export const asEffects = (store: any): any =>
  new Proxy(
    {},
    {
      get: (_, name) => {
        const ask = (...args: Array<unknown>) =>
          Effect.tryPromise({ try: async () => store[name](...args), catch: (error) => error })
        if (name !== "watch") return ask
        return (...args: Array<unknown>) =>
          Effect.asVoid(Effect.acquireRelease(ask(...args), (stop: any) => Effect.sync(stop)))
      }
    }
  )

/** What disturbs a store. */
export interface Disturbance {
  readonly log: Array<string>
  /** What fails next: with or without having arrived. */
  failures: Array<"lost" | "unanswered" | undefined>
  /** What is awaited before a question goes to the store, and before its answer comes back. */
  there: (operation: string) => Promise<void> | void
  back: (operation: string) => Promise<void> | void
  /** Whether nothing that it tells arrives. */
  isDeaf: boolean
  watching: number
  readonly count: (operation: string) => number
}

/** A store that is watched, and disturbed. */
export const disturbed = <S extends object>(store: S): { readonly store: S; readonly it: Disturbance } => {
  const log: Array<string> = []
  const it: Disturbance = {
    log,
    failures: [],
    there: () => {},
    back: () => {},
    isDeaf: false,
    watching: 0,
    count: (operation) => log.filter((each) => each === operation).length
  }
  const ask = async (operation: string, f: () => unknown): Promise<unknown> => {
    log.push(operation)
    const failure = it.failures.shift()
    const error = new Error(`${operation}: down`)
    await it.there(operation)
    if (failure === "lost") throw error
    const answer = await f()
    await it.back(operation)
    if (failure === "unanswered") throw error
    return answer
  }
  const proxy = new Proxy(store, {
    get: (_, name) => {
      const operation = String(name)
      if (operation !== "watch") return (...args: Array<unknown>) => ask(operation, () => (store as any)[name](...args))
      return async (name: string, changed: () => void) => {
        const stop: any = await ask("watch", () => (store as any).watch(name, () => it.isDeaf || changed()))
        it.watching++
        let isOver = false
        return () => {
          if (!isOver) it.watching--
          isOver = true
          stop()
        }
      }
    }
  })
  return { store: proxy, it }
}
