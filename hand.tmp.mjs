// usage: node shot14.mjs PORT ; in repo root as hand.tmp.mjs
import { chromium } from 'playwright'
import { launchOptions } from './.setup/browser.mjs'
const b = await chromium.launch(launchOptions)
const said = []
const go = async (name, width, height, scheme, act) => {
  const ctx = await b.newContext({ viewport: { width, height }, colorScheme: scheme })
  const page = await ctx.newPage()
  page.on('console', m => { if (['error','warning'].includes(m.type())) said.push(name + ': ' + m.text()) })
  page.on('pageerror', e => said.push(name + ' PAGEERROR ' + e.message))
  await page.goto('http://localhost:5173/')
  if (width < 700) await page.getByRole('button', { name: 'Agent configuration' }).click()
  await page.getByRole('button', { name: 'Connect GitHub' }).first().waitFor()
  await act(page, (n) => page.screenshot({ path: `/tmp/s14-${name}-${n}.png` }))
  await ctx.close()
}
const connect = async (page, label, who) => {
  const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: `Connect ${label}` }).first().click()])
  await popup.getByRole('button', { name: `Continue as ${who}` }).click()
  await Promise.all([popup.waitForEvent('close'), popup.getByRole('button', { name: 'Allow' }).click({ noWaitAfter: true }).catch(()=>{})])
}
for (const [w,h,s] of [[390,844,'dark'],[320,700,'light']]) {
  await go(`${w}`, w, h, s, async (page, shot) => {
    await shot('a-empty')
    await connect(page, 'GitHub', 'The Octocat')
    await page.getByText('Connected as octocat').first().waitFor()
    await connect(page, 'Gmail', 'Ada Lovelace')
    await page.getByText('Connected as ada@example.com').first().waitFor()
    await page.waitForTimeout(500)
    await shot('b-two')
    await page.getByRole('button', { name: 'More options for GitHub' }).click()
    await page.getByRole('menuitem').first().waitFor(); await page.waitForTimeout(300)
    await shot('c-menu')
    await page.getByRole('menuitem', { name: /Details/ }).click(); await page.waitForTimeout(600)
    await shot('d-details')
    await page.keyboard.press('Escape').catch(()=>{})
  })
}
console.log(said.join('\n') || 'quiet')
await b.close()
