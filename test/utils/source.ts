import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../../", import.meta.url))

/** The files under a folder of the project, as paths from its root. */
export const filesIn = (folder: string, extension = ".ts"): ReadonlyArray<string> => {
  try {
    return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
      .map((entry) => relative(root, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
      .toSorted()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []
    throw error
  }
}

export const read = (file: string): string => readFileSync(join(root, file), "utf8")

/** Strings are matched first, so that what looks like a comment inside one is kept. */
const tokens = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g

export const withoutComments = (source: string): string =>
  source.replace(tokens, (token) => (token.startsWith("/") ? "" : token))

/** Neither comments nor what strings say; what a template literal evaluates stays. */
export const codeOnly = (source: string): string =>
  source.replace(tokens, (token) => {
    if (token.startsWith("/")) return ""
    return token.startsWith("`") ? (token.match(/\$\{[^}]*\}/g) ?? []).join(" ") : '""'
  })

export interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
}

/** What a module imports, re-exports, and imports dynamically. */
export const importsOf = (source: string): ReadonlyArray<Import> => {
  const code = withoutComments(source)
  const declared = code.matchAll(
    /^[ \t]*(?:import|export)\s+(?:(type)\s+)?(?:[\w\s{},*$]+?\s*from\s*)?["']([^"']+)["']/gm
  )
  const called = code.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)
  return [
    ...Array.from(declared, ([, type, specifier]) => ({ specifier: specifier!, typeOnly: type !== undefined })),
    ...Array.from(called, ([, specifier]) => ({ specifier: specifier!, typeOnly: false }))
  ]
}
