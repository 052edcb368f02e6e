/**
 * Calls that have a contract: arguments are encoded on their way, and what comes of them is decoded. The contract does it itself, since there
 * may be no Effect here.
 *
 * @internal
 */
import type { End } from "../core/job.js"
import { type Call, type Codec, codecOf } from "../core/workerModule.js"
import { attempt } from "./park.js"

/** Goes on with the arguments as they are sent: at once, unless a schema has to wait. */
export const encoded = <A>(
  call: Call<any, unknown, unknown>,
  args: ReadonlyArray<unknown>,
  go: (args: ReadonlyArray<unknown>) => A | PromiseLike<A>
): A | PromiseLike<A> => {
  const codec = codecOf(call)
  if (codec === undefined) return go(args)
  const encoded = codec.encode(args)
  return "then" in encoded ? encoded.then(go) : go(encoded)
}

/** What the end of a job is to its caller. An error that the function does not say of itself is no part of the contract. */
export const claimOf = (codec: Codec | undefined, end: End): unknown => {
  switch (end._tag) {
    case "Value":
      return codec === undefined ? end.value : attempt(() => codec.success(end.value))
    case "Cancelled":
      return Promise.reject(new DOMException("the job was cancelled", "AbortError"))
    case "Rejected":
      if (codec !== undefined && end.expected) {
        return attempt(() => codec.failure(end.error)).then((error) => Promise.reject(error))
      }
      return Promise.reject(end.error)
    case "Failed":
      return Promise.reject(end.error)
  }
}
