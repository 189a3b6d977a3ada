import { afterEach, expect, it, vi } from 'vitest'
import { ENDPOINT_VARIABLE, parseEndpoint, SpiffeError } from '../index.ts'
import { endpointOf } from './endpoint.ts'

afterEach(() => vi.unstubAllEnvs())

it('case 156: bad endpoint addresses are refused', () => {
  for (const address of [
    '',
    '\t',
    'blah',
    '/run/agent.sock',
    'unix:',
    'unix:/',
    'unix://',
    'unix:///',
    'unix://rel',
    'unix:rel',
    'unix://host/p',
    'unix:////p',
    'unix:///p?query',
    'unix:///p#fragment',
    'unix:///p q',
    'tcp:opaque',
    'tcp:1.2.3.4:5',
    'tcp://',
    'tcp://localhost:1',
    'tcp://foo',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:',
    'tcp://127.0.0.1:0',
    'tcp://127.0.0.1:65536',
    'tcp://127.1:5',
    'tcp://0x7f.0.0.1:5',
    'tcp://1.2.3.4:5/x',
    'tcp://1.2.3.4:5/',
    'tcp://1.2.3.4:5?whatever',
    'tcp://1.2.3.4:5#whatever',
    'tcp://john:doe@1.2.3.4:5',
    'tcp://::1:5',
    'tcp://[1.2.3.4]:5',
    'TCP://1.2.3.4:5',
    'http://1.2.3.4:5',
    'https://1.2.3.4:5',
  ]) {
    const read = () => parseEndpoint(address)
    expect(read, JSON.stringify(address)).toThrow(expect.objectContaining({ code: 'invalid_address' }))
  }
  expect(parseEndpoint('unix:///run/spire/agent.sock')).toBe('unix:/run/spire/agent.sock')
  expect(parseEndpoint('unix:/run/spire/agent.sock')).toBe('unix:/run/spire/agent.sock')
  expect(parseEndpoint('tcp://1.2.3.4:5')).toBe('1.2.3.4:5')
  expect(parseEndpoint('tcp://[::1]:65535')).toBe('[::1]:65535')
})

it('an option overrides the environment', () => {
  vi.stubEnv(ENDPOINT_VARIABLE, 'unix:///from/environment')
  expect(endpointOf(undefined)).toBe('unix:/from/environment')
  expect(endpointOf('tcp://1.2.3.4:5')).toBe('1.2.3.4:5')
  vi.stubEnv(ENDPOINT_VARIABLE, 'relative')
  expect(() => endpointOf(undefined)).toThrow(SpiffeError)
  vi.stubEnv(ENDPOINT_VARIABLE, '')
  expect(() => endpointOf(undefined)).toThrow(expect.objectContaining({ code: 'not_configured' }))
})
