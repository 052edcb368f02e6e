/** Prints what an example did, under the question that it answers. */
export const title = (question: string, asyncio: string): void => {
  console.log(`\n${question}`)
  console.log(`  asyncio: ${asyncio}`)
}

export const show = (side: "effect" | "promise" | "both", what: string): void => {
  console.log(`  ${side.padEnd(7)}  ${what}`)
}
