import { Client } from 'pg'
import { MillraceError } from '../../src/core/errors.ts'
import { type Opening, openSecured, splitTls } from '../../src/core/postgres-tls.ts'

/**
 * Settings that change how values look as text. `ALTER ROLE … SET` would otherwise leak into the
 * records, so they are set on every connection that reads rows.
 */
const settings =
  "SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; " +
  "SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; " +
  "SET client_encoding = 'UTF8'; SET statement_timeout = 0; SET lock_timeout = 0"

/**
 * Connects; what the URL says of TLS is libpq's. Throws with the code that says who acts: a person
 * (paused), or nobody (transient).
 */
export async function connect(url: string, replication = false): Promise<Client> {
  const { host } = parse(splitTls(url).bare)
  try {
    return await openSecured(url, { host, where: whereIs(url) }, (opening) =>
      openClient(opening, replication),
    )
  } catch (error) {
    throw translate(error, url)
  }
}

async function openClient(opening: Opening, replication: boolean): Promise<Client> {
  const { url, ssl, negotiation } = opening
  const direct = ssl !== false && negotiation === 'direct'
  const client = new Client({
    connectionString: url,
    ssl,
    keepAlive: true,
    connectionTimeoutMillis: 10_000,
    application_name: 'millrace',
    // `pg` passes them on; its types do not know them.
    ...(replication && { replication: 'database' }),
    ...(direct && { sslnegotiation: 'direct' }),
  })
  client.on('error', () => {}) // The query under way, or the stream, reports it.
  try {
    await client.connect()
    await client.query(settings)
    return client
  } catch (error) {
    client.end().catch(() => {}) // A server that is gone would keep us waiting.
    throw error
  }
}

/** SQLSTATEs of servers that start, stop or are full: nobody has to act. */
const passing = /^(57P0[123]|53[0-9A-Z]{3}|08[0-9A-Z]{3}|40[0-9A-Z]{3}|55P03|57014)$/

/** What `pg` says, without a code, if the server asks for a password and the URL has none. */
const noPassword = /client password must be a (?:non-empty )?string/

/** What an error of the server means for the connector. */
export function translate(error: unknown, url: string): MillraceError {
  if (error instanceof MillraceError) return error
  const { code = '', message } = error as { code?: string; message: string }
  const where = whereIs(url)
  const fault = (kind: MillraceError['code'], text: string) =>
    new MillraceError(kind, text, { cause: error })
  if (code.startsWith('28') || code === '42501' || noPassword.test(message)) {
    return fault('ACCESS_DENIED', `Postgres at ${where} refuses access: ${message}.`)
  }
  if (code === '3D000') return fault('TARGET_MISCONFIGURED', `At ${where}: ${message}.`)
  if (code === '55006') return fault('SLOT_IN_USE', `${sentence(message)}.`)
  if (passing.test(code) || !/^[0-9A-Z]{5}$/.test(code)) {
    return fault('CONNECTION_LOST', `Postgres at ${where} cannot be reached: ${message || code}.`)
  }
  if (/replication slot|requested WAL segment/.test(message)) {
    return fault('SLOT_LOST', `${sentence(message)}.`)
  }
  return fault('SERVER_ERROR', `Postgres at ${where} answers: ${message} (${code}).`)
}

/** Whom a URL names: the user, and the database. */
export function addressOf(url: string): { readonly user: string; readonly database: string } {
  const { user = '', database = '' } = parse(splitTls(url).bare)
  return { user, database }
}

/** A server for people, `host:port/database`: no user, no password, nothing that concerns TLS. */
export function whereIs(url: string): string {
  const { host, port, database } = parse(splitTls(url).bare)
  return `${host}:${port}/${database}`
}

/** A URL as `pg` understands it. */
function parse(url: string): Client {
  try {
    return new Client({ connectionString: url, ssl: false })
  } catch (cause) {
    // What the parser has to say holds the URL, and so the password.
    const message = 'The url is not of the form postgres://user:password@host:5432/database.'
    throw new MillraceError('CONFIG_INVALID', message, { cause: (cause as Error).name })
  }
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** An identifier, quoted. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** A literal, for commands of the replication protocol that take no parameters. */
export function quoteLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
