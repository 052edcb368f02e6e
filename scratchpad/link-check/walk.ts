/** Finds the Markdown files: a stream of paths, relative to the folder and with `/`, in alphabetical order. */
import { Stream } from "effect"
import { readdir } from "node:fs/promises"
import { join } from "node:path"

export interface Unreadable {
  readonly file: string
  readonly reason: string
}

/**
 * The stream is pulled: while its consumer waits (because the queue is full, say), no further folder is opened. Symbolic links are not
 * followed, for they may lead outside or round in circles. A folder that cannot be read is told and left out.
 */
export const markdownFiles = (root: string, onUnreadable: (problem: Unreadable) => void): Stream.Stream<string> =>
  Stream.orDie(Stream.fromAsyncIterable(walk(root, "", onUnreadable), (error) => error))

async function* walk(root: string, folder: string, onUnreadable: (_: Unreadable) => void): AsyncGenerator<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: Error) => {
    onUnreadable({ file: folder || ".", reason: error.message })
    return []
  })
  entries.sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && entry.name !== ".git") yield* walk(root, path, onUnreadable)
    else if (entry.isFile() && isMarkdown(entry.name)) yield path
  }
}

export const isMarkdown = (file: string): boolean => /\.(md|markdown)$/i.test(file)
