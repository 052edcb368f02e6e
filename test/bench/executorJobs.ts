/** What the workers of all contenders run. */
export const nothing = (): void => {}

/** Copied on its way here, and on its way back. */
export const echo = (bytes: Uint8Array): Uint8Array => bytes

/** Computes for some milliseconds. */
export const compute = (rounds: number): number => {
  let hash = 0
  for (let i = 0; i < rounds; i++) hash = (Math.imul(hash, 31) + i) | 0
  return hash
}
