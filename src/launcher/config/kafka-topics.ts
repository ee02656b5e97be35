import type { Draft } from './draft.ts'

type Rule = Readonly<Record<string, unknown>>

/** The topics that others write, by what `topics` says of them. */
export function inputsOf(draft: Draft): readonly string[] {
  return rulesOf(draft).flatMap(([name, rule]) => (rule.input === undefined ? [] : [name]))
}

/** Checks what rules for topics on Kafka need of each other. */
export function checkTopics(draft: Draft): void {
  checkRegistry(draft)
  for (const name of inputsOf(draft)) {
    if (!name.includes('*')) continue
    draft.report(['topics', name, 'input'], 'needs the whole name of one topic, without *', 'name')
  }
}

function checkRegistry(draft: Draft): void {
  if (draft.at(['log', 'type']) !== 'kafka') return
  if (draft.at(['log', 'registry']) !== undefined) return
  const formats = [['log', 'format'] as const]
  const named = rulesOf(draft).flatMap(([name]) => [
    ...['format', 'key.format'].map((option) => ['topics', name, option]),
    ...['key', 'value'].map((part) => ['topics', name, 'input', part]),
  ])
  for (const path of [...formats, ...named]) {
    const format = draft.at(path)
    if (format !== 'avro' && format !== 'json-schema') continue
    draft.report(path, 'needs a schema registry: give `log.registry`')
  }
}

function rulesOf(draft: Draft): readonly (readonly [string, Rule])[] {
  return draft.names(['topics']).map((name) => [name, ruleAt(draft, name)])
}

function ruleAt(draft: Draft, name: string): Rule {
  const rule = draft.at(['topics', name])
  return typeof rule === 'object' && rule !== null ? (rule as Rule) : {}
}
