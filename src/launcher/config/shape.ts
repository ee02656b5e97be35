import { z } from 'zod'
import { secrets } from '../../core/secret.ts'
import type { Path } from './fault.ts'

/**
 * What a schema says about its values, as far as explaining a fault needs it. It is the schema's
 * JSON Schema, as that can be walked whatever the schema is made of.
 */
export interface Shape {
  readonly type?: string
  readonly properties?: Readonly<Record<string, Shape>>
  readonly additionalProperties?: Shape | boolean
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly oneOf?: readonly Shape[]
  readonly allOf?: readonly Shape[]
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly secret?: boolean
  readonly description?: string
}

export function shapeOf(schema: z.ZodType): Shape {
  return z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      if (secrets.has(zodSchema as unknown as z.ZodType))
        (jsonSchema as { secret?: boolean }).secret = true
    },
  }) as Shape
}

/** Every shape that a value at `path` may have: several where the schema is a union. */
export function shapesAt(shape: Shape, path: Path): readonly Shape[] {
  let shapes = alternatives(shape)
  for (const step of path) {
    shapes = shapes.flatMap((each) => children(each, step)).flatMap(alternatives)
  }
  return shapes
}

/** The names that a mapping at `path` may have. */
export function namesAt(shape: Shape, path: Path): readonly string[] {
  return shapesAt(shape, path).flatMap(({ properties }) => Object.keys(properties ?? {}))
}

export function descriptionAt(shape: Shape, path: Path): string | undefined {
  return shapesAt(shape, path).find(({ description }) => description !== undefined)?.description
}

/** Whether the value at `path`, or anything around it, must not be shown. */
export function isSecret(shape: Shape, path: Path): boolean {
  return path
    .map((_, i) => path.slice(0, i + 1))
    .some((part) => shapesAt(shape, part).some(({ secret }) => secret === true))
}

function alternatives(shape: Shape): readonly Shape[] {
  const others = [...(shape.anyOf ?? []), ...(shape.oneOf ?? []), ...(shape.allOf ?? [])]
  return [shape, ...others.flatMap(alternatives)]
}

function children({ properties, additionalProperties, items }: Shape, step: string | number) {
  if (typeof step === 'number') return items === undefined ? [] : [items]
  if (properties !== undefined && Object.hasOwn(properties, step)) return [properties[step]!]
  return typeof additionalProperties === 'object' ? [additionalProperties] : []
}
