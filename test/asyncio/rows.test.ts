import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import type { Row } from "./row.js"

const here = new URL("./", import.meta.url)
const root = new URL("../../", here)

const lists = readdirSync(here)
  .filter((file) => file.endsWith(".ts") && file !== "row.ts" && !file.endsWith(".test.ts"))
  .map((file) => file.slice(0, -".ts".length))

const names = (text: string, row: string) => new RegExp(`\\b${row}\\b`).test(text)

for (const list of lists) {
  const { rows } = (await import(`../asyncio/${list}.ts`)) as { readonly rows: ReadonlyArray<Row> }

  describe(`the rows of ${list}`, () => {
    it("each is ported or differs, and each is there once", () => {
      const seen = new Set<string>()
      for (const { differs, of, ported, row } of rows) {
        assert.match(row, /^test_\w+$/)
        assert.isTrue(Boolean(ported?.length) || Boolean(differs?.trim()), `${row}: neither ported nor different`)
        const key = `${of ?? ""} ${row}`
        assert.isFalse(seen.has(key), `${row} is there twice`)
        seen.add(key)
      }
      assert.isAbove(seen.size, 0)
    })

    it("each is named by the tests that port it", () => {
      const missing: Array<string> = []
      for (const { ported = [], row } of rows) {
        for (const file of ported) {
          const path = new URL(file, root)
          if (!existsSync(path) || !names(readFileSync(path, "utf8"), row)) missing.push(`${row} in ${file}`)
        }
      }
      assert.deepStrictEqual(missing, [])
    })
  })
}
