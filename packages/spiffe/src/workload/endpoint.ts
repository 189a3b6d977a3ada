import { isIP } from 'node:net'
import { SpiffeError } from '../ids/errors.ts'

/** The environment variable that names the Workload API. @see SPIFFE Workload Endpoint §4 */
export const ENDPOINT_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET'

/**
 * Reads a Workload API address and returns it as a gRPC target. Only `unix:///absolute/path` and `tcp://IP:port` are
 * addresses. A host name is not, because then a name server would decide who this workload is.
 *
 * @throws {@link SpiffeError} `invalid_address`
 * @see SPIFFE Workload Endpoint §4
 */
export function parseEndpoint(address: string): string {
  if (typeof address !== 'string' || /[^\x21-\x7e]/.test(address)) throw invalid('it has characters a URI cannot have')
  if (/[?#]/.test(address)) throw invalid('it has a query or a fragment')
  if (address.startsWith('unix:')) {
    const path = address.slice('unix:'.length)
    if (path.startsWith('//') && !path.startsWith('///')) throw invalid('a unix address has no authority')
    if (!/^\/{1,}[^/]/.test(path)) throw invalid('a unix address has an absolute path')
    if (path.startsWith('////') || (path.startsWith('//') && !path.startsWith('///')))
      throw invalid('a unix address has an absolute path')
    return `unix:${path.replace(/^\/\/\//, '/')}`
  }
  const tcp = /^tcp:\/\/(?:\[([^\]]+)\]|([^:/@[\]]+)):(\d{1,5})$/.exec(address)
  if (!address.startsWith('tcp:')) throw invalid('its scheme is neither unix nor tcp')
  if (!tcp) throw invalid('a tcp address is an IP address and a port, and nothing else')
  const [, six, four, digits] = tcp
  const port = Number(digits)
  if (six === undefined ? isIP(four ?? '') !== 4 : isIP(six) !== 6) throw invalid('its host is not an IP address')
  if (port < 1 || port > 65535) throw invalid('its port is out of range')
  return six === undefined ? `${four}:${port}` : `[${six}]:${port}`
}

/**
 * The given address, else that of the environment, as a gRPC target.
 *
 * @throws {@link SpiffeError} `not_configured` or `invalid_address`
 */
export function endpointOf(address: string | undefined): string {
  const found = address ?? process.env[ENDPOINT_VARIABLE]
  if (found === undefined || found === '')
    throw new SpiffeError('not_configured', 'No Workload API address is known.', {
      next: `Pass { address } or set ${ENDPOINT_VARIABLE}.`,
    })
  return parseEndpoint(found)
}

function invalid(why: string): SpiffeError {
  return new SpiffeError('invalid_address', `This is not a Workload API address: ${why}.`, {
    next: 'Use unix:///absolute/path or tcp://IP:port.',
  })
}
