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

/** What is rejected, and handled by nobody, while a function runs and soon after it. */
export const unhandledIn = async (f: () => Promise<void>): Promise<ReadonlyArray<unknown>> => {
  const unhandled: Array<unknown> = []
  const others = process.listeners("unhandledRejection")
  process.removeAllListeners("unhandledRejection")
  process.on("unhandledRejection", (error) => unhandled.push(error))
  try {
    await f()
    await new Promise((resolve) => setTimeout(resolve, 2))
    for (let i = 0; i < 6; i++) await new Promise((resolve) => setImmediate(resolve))
  } finally {
    process.removeAllListeners("unhandledRejection")
    for (const listener of others) process.on("unhandledRejection", listener)
  }
  return unhandled
}
