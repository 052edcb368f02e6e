/** What is still on the heap after a lot was done. For tests that run with `--expose-gc`. */
import { settle } from "../laws/skins.js"

/** The heap after a thorough collection, in megabytes. */
export const heap = async (): Promise<number> => {
  for (let i = 0; i < 3; i++) {
    await settle()
    globalThis.gc!()
  }
  return process.memoryUsage().heapUsed / 1e6
}

/** How many megabytes are there after so many steps that were not there after a hundredth of them (code and caches are no leak). */
export const growth = async (steps: number, step: (n: number) => Promise<unknown>): Promise<number> => {
  let n = 0
  const go = async (to: number) => {
    for (; n < to; n++) await step(n)
  }
  await go(steps / 100)
  const before = await heap()
  await go(steps)
  return (await heap()) - before
}
