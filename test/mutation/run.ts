/**
 * Mutation testing of the cores: Stryker changes one thing in src/core at a time, and some test has to notice.
 *
 * usage: npm run mutation [-- --mutate src/core/event.ts]    other arguments are Stryker's
 *
 * Stryker wants a newer Node than this package does. So neither it nor its dependencies are among this package's: they are installed
 * on the first run, as package-lock.json here says, and run by a Node of their own.
 */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { nodeOf } from "../package/nodes.js"
import { root } from "../utils/source.js"

const here = join(root, "test/mutation")
const tool = join(root, "node_modules/.cache/stryker")
const node = nodeOf(24)
const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}` }

const run = (command: string, args: ReadonlyArray<string>): void => {
  const { error, status } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}

const installed = (): boolean => {
  const [wanted, found] = [here, tool].map((folder) => join(folder, "package-lock.json"))
  return (
    existsSync(join(tool, "node_modules/.package-lock.json")) &&
    readFileSync(wanted!, "utf8") === readFileSync(found!, "utf8")
  )
}

if (!installed()) {
  mkdirSync(tool, { recursive: true })
  for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(here, file), join(tool, file))
  // The vitest that its runner asks for is the one of this package.
  run("npm", ["ci", "--prefix", tool, "--legacy-peer-deps", "--no-audit", "--no-fund", "--loglevel", "error"])
}

run(node, [
  join(tool, "node_modules/@stryker-mutator/core/bin/stryker.js"),
  "run",
  "test/mutation/stryker.config.mjs",
  ...process.argv.slice(2)
])
