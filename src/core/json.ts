/** A parsed JSON value. `bigint` stands for int8, whose digits a double would lose. */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Json[]
  | { readonly [key: string]: Json }

/** One row, by column. */
export type Row = { readonly [column: string]: Json }
