import { type Certificate, makeAuthority, makeCertificate } from '../certificates.ts'
import { freePort } from './ports.ts'

/** Addresses of one broker, and what a client needs to get in. */
export interface SecureListeners {
  /** SASL without TLS, SASL with TLS, and TLS with a certificate for the client. */
  readonly sasl: string
  readonly saslTls: string
  readonly mutualTls: string
  readonly authority: Certificate
  /** Signed by the authority, with the name `alice`. */
  readonly client: Certificate
}

/**
 * A broker that asks who comes. `alice`, with the password `alice-secret`, or a token, or the
 * certificate, may do everything; `mallory`, with `mallory-secret`, may do nothing.
 */
export async function makeSecure() {
  const [sasl, saslTls, mutualTls] = [await freePort(), await freePort(), await freePort()]
  const authority = makeAuthority('millrace test authority')
  const server = makeCertificate('kafka', authority, ['localhost'])
  const client = makeCertificate('alice', authority)
  const at = (port: number) => `localhost:${port}`
  return {
    found: { authority, client, sasl: at(sasl), saslTls: at(saslTls), mutualTls: at(mutualTls) },
    listeners: [
      `SASL_PLAINTEXT://${at(sasl)}`,
      `SASL_SSL://${at(saslTls)}`,
      `SSL://${at(mutualTls)}`,
    ],
    scram: ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) =>
      users.flatMap((name) => {
        return ['--add-scram', `${mechanism}=[name=${name},password=${name}-secret]`]
      }),
    ),
    lines: [
      ...certificates(authority, server),
      'listener.name.ssl.ssl.client.auth=required',
      'sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER',
      ...['sasl_plaintext', 'sasl_ssl'].flatMap(logins),
      'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users=User:ANONYMOUS;User:alice;User:CN=alice',
    ],
  }
}

const users = ['alice', 'mallory']
const security = 'org.apache.kafka.common.security'

function logins(listener: string): string[] {
  const known = users.map((name) => `user_${name}="${name}-secret"`).join(' ')
  const plain = `${security}.plain.PlainLoginModule required ${known};`
  const scram = `${security}.scram.ScramLoginModule required;`
  const token = `${security}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`
  const line = (mechanism: string, login: string) =>
    `listener.name.${listener}.${mechanism}.sasl.jaas.config=${login}`
  return [
    line('plain', plain),
    line('scram-sha-256', scram),
    line('scram-sha-512', scram),
    line('oauthbearer', token),
  ]
}

/** Kafka takes PEM as one line. */
function certificates(authority: Certificate, server: Certificate): string[] {
  const line = (pem: string) => pem.trim().replaceAll('\n', '\\n')
  return [
    'ssl.keystore.type=PEM',
    `ssl.keystore.certificate.chain=${line(server.pem)}`,
    `ssl.keystore.key=${line(server.key)}`,
    'ssl.truststore.type=PEM',
    `ssl.truststore.certificates=${line(authority.pem)}`,
  ]
}
