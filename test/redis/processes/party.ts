/** A process that arrives at a barrier, and tells its parent that it does, and what has become of it. See `parties.test.ts`. */
import { DistributedBarrier } from "../../../src/promise/distributed/DistributedBarrier.js"
import { connect } from "../../../src/redis/connect.js"
import { RedisParties } from "../../../src/redis/parties.js"

const { lease, name, parties, prefix, url } = JSON.parse(process.argv[2]!) as {
  url: string
  prefix: string
  name: string
  parties: number
  lease: number
}

const store = new RedisParties(connect({ url, prefix }))
const barrier = new DistributedBarrier(store, { parties, lease, poll: 50 })

/** What became of it: its index, or the name of the error. */
const outcome = barrier.wait(name).then(
  (index) => `${index}`,
  (error: { readonly _tag?: string }) => error._tag ?? String(error)
)
process.send!("begun")
void outcome.then((text) => process.send!(text))

process.on("disconnect", () => process.exit())
