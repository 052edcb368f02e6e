/**
 * Whether a value can be sent to another thread.
 *
 * @internal
 */
export const canClone = (value: unknown): boolean => {
  try {
    structuredClone(value)
    return true
  } catch {
    return false
  }
}
