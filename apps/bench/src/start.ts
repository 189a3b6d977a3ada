// `npm run bench storm [--repeats N]` · `npm run bench read` · `npm run bench render` · `npm run bench spiffe` · `npm run bench vault` · `npm run bench redact` · `npm run bench authorize`
import { parseArgs } from 'node:util'
import { chromium } from 'playwright'
import { launchOptions } from '../../../.setup/browser.mjs'
import { median, read } from './read.ts'
import { PROVIDERS, render } from './render.ts'
import { CALLERS, startStorms, storm, TABS } from './storm.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { repeats: { type: 'string', default: '100' } },
})

async function storms(): Promise<boolean> {
  const repeats = Number(values.repeats)
  const browser = await chromium.launch(launchOptions)
  const { app, server, close } = await startStorms()
  const requests = new Map<number, number>()
  let [good, failures, alive] = [0, 0, 0]
  try {
    for (let repeat = 0; repeat < repeats; repeat++) {
      const found = await storm(browser, app, server)
      requests.set(found.refreshRequests, (requests.get(found.refreshRequests) ?? 0) + 1)
      failures += found.failures
      if (found.alive) alive++
      const whole = found.refreshRequests === 1 && found.failures === 0 && found.tokens === 1 && found.alive
      if (whole) good++
      else console.log(`repeat ${repeat + 1}: ${JSON.stringify(found)}`)
    }
  } finally {
    await browser.close()
    await close()
  }
  const counted = [...requests].map(([count, times]) => `${count} in ${times}`).join(', ')
  console.log(`storm: ${TABS} tabs x ${CALLERS} callers, rotation with reuse detection, 40 ms per request`)
  console.log(`  refresh requests  ${counted}`)
  console.log(`  callers failed    ${failures} of ${repeats * TABS * CALLERS}`)
  console.log(`  grant alive       ${alive} of ${repeats}`)
  console.log(`${good} of ${repeats}: 1 refresh request, 0 failures, one token for all, grant alive`)
  return repeats > 0 && good === repeats
}

async function reads(): Promise<boolean> {
  const browser = await chromium.launch(launchOptions)
  try {
    const { floor, token, ratio, touched } = await read(browser)
    console.log('read: a valid token, microseconds per call, median of interleaved rounds')
    console.log(`  awaited Map read  ${median(floor).toFixed(3)}   x 1.00`)
    console.log(`  getToken          ${median(token).toFixed(3)}   x ${ratio.toFixed(2)} (at most 2)`)
    console.log(`  storage and network touched: ${touched} times`)
    return ratio <= 2 && touched === 0
  } finally {
    await browser.close()
  }
}

async function renders(): Promise<boolean> {
  const browser = await chromium.launch(launchOptions)
  try {
    const { times, cards, commits, touched } = await render(browser)
    console.log(`render: ${PROVIDERS} providers in the panel, beside a plain React list of the same markup`)
    console.log('milliseconds until painted, median of interleaved rounds; ratio: median of the rounds’ ratios')
    for (const [what, { panel, plain }] of Object.entries(times)) {
      const ratio = median(panel.map((value, round) => value / (plain[round] ?? Number.NaN)))
      const [a, b] = [panel, plain].map((values) => median(values).toFixed(1).padStart(8))
      console.log(`  ${what.padEnd(18)} panel ${a}   list ${b}   x ${ratio.toFixed(2)}`)
    }
    console.log(`  one change renders ${cards} of ${PROVIDERS} cards in ${commits} commit (one in one)`)
    console.log(`  and touches ${touched} DOM nodes (at most 3)`)
    return cards === 1 && commits === 1 && touched > 0 && touched <= 3
  } finally {
    await browser.close()
  }
}

/** Runs a bench that is a separate program. It prints its result and sets the exit code if a limit is exceeded. */
async function program(name: string): Promise<boolean> {
  // Removes the bench's name, so that the program finds its own arguments.
  process.argv.splice(2, 1)
  await import(`./${name}.ts`)
  return !process.exitCode
}

const benches: Record<string, () => Promise<boolean>> = {
  storm: storms,
  read: reads,
  render: renders,
  spiffe: () => program('spiffe'),
  vault: () => program('vault'),
  codemode: () => program('codemode'),
  redact: () => program('redact'),
  authorize: () => program('authorize'),
}
const bench = benches[positionals[0] ?? '']
if (!bench) {
  console.error(`usage: npm run bench ${Object.keys(benches).join('|')} [-- --repeats N]`)
  process.exit(2)
}
process.exitCode = (await bench()) ? 0 : 1
