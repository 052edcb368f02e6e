import { leaseStoreMemory } from "effect-concurrency/promise/distributed"
import { distributedMutexLaws } from "../laws/DistributedMutex.js"
import { distributedSemaphoreLaws, type StoreFactory } from "../laws/DistributedSemaphore.js"
import { skins } from "../laws/leaseSkins.js"

const memory: StoreFactory = {
  name: "memory",
  open: async () => {
    const store = leaseStoreMemory()
    return { connect: () => store, close: async () => {} }
  }
}

for (const skin of skins) {
  distributedSemaphoreLaws(skin, memory)
  distributedMutexLaws(skin, memory)
}
