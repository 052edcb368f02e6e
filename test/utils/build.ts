/**
 * Builds the package before the tests, when the build is older than the sources: workers run what is compiled, for they have no loader of
 * TypeScript. What is wrong with the types is for `npm run check` to say.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs"
import { dirname, join } from "node:path"
import { filesIn, root } from "./source.js"

const changed = (file: string): number => statSync(join(root, file), { throwIfNoEntry: false })?.mtimeMs ?? 0

/** Puts a file in the place of another in one step, so that whoever loads it meanwhile has the one or the other. */
const replace = (from: string, to: string): void => {
  if (existsSync(to) && readFileSync(from).equals(readFileSync(to))) return
  mkdirSync(dirname(to), { recursive: true })
  renameSync(from, to)
}

/** Its time is that of the sources which were compiled. */
const mark = "dist/worker/entry.js"

export default (): void => {
  const newest = Math.max(...filesIn("src").map(changed))
  if (newest <= changed(mark)) return
  // Beside it, so that the source maps are right.
  const folder = mkdtempSync(join(root, ".dist-"))
  try {
    const tsc = join(root, "node_modules/typescript/bin/tsc")
    execFileSync(process.execPath, [tsc, "-p", "src", "--noCheck", "--outDir", folder], { cwd: root, stdio: "inherit" })
    const within = folder.slice(root.length)
    for (const extension of ["", ".map"]) {
      for (const kind of [".js", ".d.ts"]) {
        for (const file of filesIn(within, kind + extension)) {
          replace(join(root, file), join(root, "dist", file.slice(within.length + 1)))
        }
      }
    }
    utimesSync(join(root, mark), new Date(), new Date(newest))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
