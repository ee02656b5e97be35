/*
 * While an index is filled anew beside the one that serves, and while that one is kept afterwards,
 * there are checkpoints of three: under the sink's name that of the one that serves, and under
 * these names those of the others. Options cannot contain "~", so no sink is named so.
 */

/** Of the index that is being filled. */
export function nextName(sink: string): string {
  return `${sink}~next`
}

/** Of the index that served before. */
export function previousName(sink: string): string {
  return `${sink}~previous`
}

export function isSide(name: string): boolean {
  return name.includes('~')
}
