import { Environment } from '@marcbachmann/cel-js'
import { Decimal } from '../../core/decimal.ts'
import { listFunctions } from './cel-lists.ts'
import { decimal } from './cel-values.ts'
import { AbsentRow, RowNames } from './scope.ts'

/**
 * The language of expressions: CEL (cel.dev), with exact decimals and numbers that mix. What null
 * means in it is told by `knowNull`.
 */
export function celEnvironment(): Environment {
  const environment = new Environment({
    unlistedVariablesAreDyn: true,
    homogeneousAggregateLiterals: false,
  })
  environment.registerType('decimal', Decimal)
  environment.registerType('row', RowNames)
  environment.registerType('absent', AbsentRow)
  mixedArithmetic(environment)
  decimalOperators(environment)
  nullEqualities(environment)
  conversions(environment)
  listFunctions(environment)
  return environment
}

type Number = bigint | number | Decimal

const arithmetic = ['+', '-', '*', '/'] as const

/** An integer with a double gives a double; CEL itself only compares them. */
function mixedArithmetic(environment: Environment): void {
  const operations = {
    '+': (a: number, b: number) => a + b,
    '-': (a: number, b: number) => a - b,
    '*': (a: number, b: number) => a * b,
    '/': (a: number, b: number) => a / b,
  }
  for (const operator of arithmetic) {
    const apply = operations[operator]
    const double = (a: bigint | number, b: bigint | number) => apply(Number(a), Number(b))
    environment.registerOperator(`int ${operator} double`, double)
    environment.registerOperator(`double ${operator} int`, double)
  }
}

function decimalOperators(environment: Environment): void {
  const operations = {
    '+': (a: Decimal, b: Decimal) => a.plus(b),
    '-': (a: Decimal, b: Decimal) => a.minus(b),
    '*': (a: Decimal, b: Decimal) => a.times(b),
    '/': (a: Decimal, b: Decimal) => a.over(b),
    '%': (a: Decimal, b: Decimal) => a.remainder(b),
    '<: bool': (a: Decimal, b: Decimal) => a.compare(b) < 0,
    '<=: bool': (a: Decimal, b: Decimal) => a.compare(b) <= 0,
    '>: bool': (a: Decimal, b: Decimal) => a.compare(b) > 0,
    '>=: bool': (a: Decimal, b: Decimal) => a.compare(b) >= 0,
  }
  for (const [named, apply] of Object.entries(operations)) {
    const [operator, result = ''] = named.split(/(?=:)/)
    const exactly = (a: Number, b: Number) => apply(decimal(a), decimal(b))
    for (const [a, b] of decimalPairs)
      environment.registerOperator(`${a} ${operator} ${b}${result}`, exactly)
  }
  const isEqual = (a: Number, b: Number) => decimal(a).compare(decimal(b)) === 0
  for (const other of ['decimal', 'int', 'double'])
    environment.registerOperator(`decimal == ${other}: bool`, isEqual)
  environment.registerOperator('-decimal', (a: Decimal) => a.negated())
}

/** A double stands for the digits it is written with, so that `price * 1.19` is exact. */
const decimalPairs = [
  ['decimal', 'decimal'],
  ['decimal', 'int'],
  ['int', 'decimal'],
  ['decimal', 'double'],
  ['double', 'decimal'],
] as const

/** What has a type may be compared with null, too; `knowNull` says what comes of it. */
function nullEqualities(environment: Environment): void {
  for (const type of nullableTypes)
    environment.registerOperator(`${type} == null: bool`, () => false)
}

const nullableTypes = [
  ...['bool', 'int', 'double', 'string', 'bytes', 'decimal', 'list<dyn>'],
  ...['google.protobuf.Timestamp', 'google.protobuf.Duration'],
]

function conversions(environment: Environment): void {
  environment
    .registerFunction('decimal(dyn): decimal', (value: unknown) => decimal(value))
    .registerFunction('decimal.round(int): decimal', (value: Decimal, scale: bigint) =>
      value.rounded(Number(scale)),
    )
    .registerFunction('string(decimal): string', (value: Decimal) => value.toString())
    .registerFunction('double(decimal): double', (value: Decimal) => Number(value.toString()))
    .registerFunction('int(decimal): int', (value: Decimal) => BigInt(value.rounded(0).toString()))
    .registerFunction('coalesce(dyn, dyn): dyn', (a: unknown, b: unknown) => a ?? b)
    .registerFunction('coalesce(dyn, dyn, dyn): dyn', (a: unknown, b: unknown, c: unknown) => {
      return a ?? b ?? c
    })
}
