import type { Attempt } from "../laws/skins.js"

/** What a body waits for, and what opens it. */
export interface Gate {
  readonly opened: Promise<void>
  readonly open: () => void
}

export const gate = (): Gate => {
  let open!: () => void
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

export const statesOf = (...attempts: ReadonlyArray<Attempt<unknown>>): ReadonlyArray<Attempt<unknown>["state"]> =>
  attempts.map(({ state }) => state)
