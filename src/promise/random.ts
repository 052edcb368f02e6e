/**
 * The dice of the facade, looked up when they are thrown.
 *
 * @internal
 */

/** From 0 to 1, the latter excluded. */
export const roll = (): number => globalThis.Math.random()
