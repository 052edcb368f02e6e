/** The laws of events and barriers over a store in memory. */
import { latchStoreMemory, partyStoreMemory } from "effect-concurrency/promise/distributed"
import { distributedBarrierLaws } from "../laws/DistributedBarrier.js"
import { distributedEventLaws } from "../laws/DistributedEvent.js"
import { barrierSkins, eventSkins } from "../laws/meetingSkins.js"

/** All who connect share one store. */
const memory = <S>(make: () => S) => ({
  name: "memory",
  open: async () => {
    const store = make()
    return { connect: () => store, close: async () => {} }
  }
})

for (const skin of eventSkins) distributedEventLaws(skin, memory(latchStoreMemory))
for (const skin of barrierSkins) distributedBarrierLaws(skin, memory(partyStoreMemory))
