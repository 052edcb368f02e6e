/** What a promise rejects with. Throws when it does not. */
export const rejectionOf = async (promise: Promise<unknown>): Promise<unknown> => {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return error
  }
  throw new Error(`it did not reject: ${String(value)}`)
}
