import { html, raw } from 'hono/html'

/** Name and colour of a stand-in, deliberately unlike the original's. */
export interface Brand {
  /** Short and lowercase; also names the cookies. */
  id: string
  name: string
  /** Hue of its accent colour, in degrees. */
  hue: number
}

/** A user who can log in. */
export interface Person {
  id: string
  name: string
  /** A login or an email address, shown below the name. */
  handle: string
  /** Path of the picture on this server. */
  picture: string
}

export interface ScopeLine {
  /** What the scope allows, shown to the person. */
  words: string
  /** Has a checkbox of its own on the consent page. */
  optional?: boolean
}

type Html = ReturnType<typeof html>

// The accent has enough contrast in both schemes: below white text, and as text on a dark background.
const STYLE = `
:root{color-scheme:light dark;
--page:light-dark(oklch(96.5% .008 var(--hue)),oklch(17% .015 var(--hue)));
--card:light-dark(#fff,oklch(22% .017 var(--hue)));
--soft:light-dark(oklch(97.5% .006 var(--hue)),oklch(26% .02 var(--hue)));
--line:light-dark(oklch(90% .012 var(--hue)),oklch(34% .022 var(--hue)));
--text:light-dark(oklch(24% .02 var(--hue)),oklch(95% .008 var(--hue)));
--dim:light-dark(oklch(48% .02 var(--hue)),oklch(74% .018 var(--hue)));
--accent:light-dark(oklch(47% .13 var(--hue)),oklch(52% .12 var(--hue)));
--mark:light-dark(oklch(47% .13 var(--hue)),oklch(78% .11 var(--hue)));
--tag:light-dark(oklch(93% .07 85),oklch(34% .06 85));
--tag-text:light-dark(oklch(38% .08 70),oklch(89% .09 90))}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:16px;background:var(--page);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{width:100%;max-width:28rem;padding:24px;background:var(--card);border:1px solid var(--line);border-radius:16px;box-shadow:0 1px 2px #0000000d,0 12px 32px #0000000f;overflow-wrap:anywhere}
header{display:flex;align-items:center;gap:10px;margin-bottom:20px;font-weight:600}
header svg{flex:none;color:var(--mark)}
.tag{margin-left:auto;padding:2px 10px;border-radius:99px;background:var(--tag);color:var(--tag-text);font-size:.8125rem}
h1{margin:0 0 4px;font-size:1.375rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
p{margin:0;color:var(--dim);font-size:.9375rem;text-wrap:pretty}
form{margin:0}
img{flex:none;width:40px;height:40px;border-radius:50%}
small{display:block;color:var(--dim);font-size:.8125rem}
ul{list-style:none;margin:20px 0;padding:0}
button{font:inherit;font-weight:600;min-height:44px;padding:8px 16px;border:1px solid var(--line);border-radius:10px;background:var(--card);color:var(--text);cursor:pointer}
button:hover{background:var(--soft)}
button.main{background:var(--accent);border-color:transparent;color:#fff}
button.main:hover{filter:brightness(.92)}
:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
.people{display:grid;gap:10px}
.people button{display:flex;align-items:center;gap:12px;width:100%;padding:10px 14px;text-align:left}
.people small{font-weight:400}
.who{display:flex;align-items:center;gap:12px;margin-top:20px;padding:10px 14px;border:1px solid var(--line);border-radius:10px;background:var(--soft)}
.who div{flex:1;min-width:0}
.who b{display:block;line-height:1.3}
.who a{flex:none;color:var(--mark);font-size:.875rem;padding:8px 0}
.scopes{border:1px solid var(--line);border-radius:10px}
.scopes li{display:flex;gap:12px;padding:12px 14px}
.scopes li+li{border-top:1px solid var(--line)}
.scopes svg,.scopes input{flex:none;width:20px;height:20px;margin:2px 0 0}
.scopes svg{color:var(--mark)}
.scopes input{accent-color:var(--accent)}
.scopes div{min-width:0}
.answer{display:flex;gap:10px}
.answer button{flex:1}
.keys{margin-top:20px}
.keys a{flex:1;align-self:center;color:var(--mark);text-align:center}
.key{margin-top:20px;padding:12px 14px;border:1px solid var(--line);border-radius:10px;background:var(--soft);user-select:all}
footer{margin-top:16px;color:var(--dim);font-size:.8125rem}
@media(max-width:400px){body{padding:0;place-items:stretch}main{border:0;border-radius:0;box-shadow:none;padding:20px 16px}}
`

/** Copies the key on a page; where that is forbidden, selects it for the person to copy. */
const COPY = `
document.getElementById('copy').onclick = async () => {
  const key = document.getElementById('key')
  const said = document.getElementById('said')
  try {
    await navigator.clipboard.writeText(key.textContent)
    said.textContent = 'Copied. Paste it into the app.'
  } catch {
    getSelection().selectAllChildren(key)
    said.textContent = 'The token is selected. Copy it with your keyboard.'
  }
}`

const CHECK = raw(
  '<svg viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="m4.5 10.5 3.5 3.5 7.5-8"/></svg>',
)
const GLYPH = raw(
  '<svg width="28" height="28" viewBox="0 0 28 28" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round" aria-hidden="true"><path d="M14 3 24 8.5v11L14 25 4 19.5v-11z"/><path d="m4 8.5 10 5.5 10-5.5M14 14v11"/></svg>',
)

const layout = (brand: Brand, title: string, content: Html): Html => html`<!doctype html>
<html lang="en" style="--hue:${String(brand.hue)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<link rel="icon" href="data:,">
<title>${title} · ${brand.name}</title>
<style>${raw(STYLE)}</style>
</head>
<body>
<main>
<header>${GLYPH}<span>${brand.name}</span><span class="tag">Sandbox</span></header>
${content}
</main>
</body>
</html>`

export const loginPage = (brand: Brand, people: Person[]): Html =>
  layout(
    brand,
    'Choose an account',
    html`<h1>Choose an account</h1>
<p>These people are made up. No password is needed.</p>
<form method="post">
<ul class="people">
${people.map(
  (person) => html`<li><button name="user" value="${person.id}" aria-label="Continue as ${person.name}">
<img src="${person.picture}" alt=""><span>Continue as ${person.name}<small>${person.handle}</small></span></button></li>`,
)}
</ul>
<div class="answer"><button name="answer" value="cancel">Cancel</button></div>
</form>`,
  )

export interface ConsentRequest {
  appName: string
  /** Host of the redirect URI. */
  returnsTo: string
  user: Person
  scopes: Array<ScopeLine & { name: string }>
}

export const consentPage = (brand: Brand, { appName, returnsTo, user, scopes }: ConsentRequest): Html =>
  layout(
    brand,
    `Allow ${appName}?`,
    html`<h1>Allow ${appName} to use your account?</h1>
<p>${scopes.some(({ optional }) => optional) ? 'Untick what you do not want to share.' : 'It asks for the following.'}</p>
<div class="who"><img src="${user.picture}" alt=""><div><b>${user.name}</b><small>${user.handle}</small></div><a href="?switch" aria-label="Switch account">Switch</a></div>
<form method="post">
<ul class="scopes">
${scopes.length === 0 ? html`<li>${CHECK}<div>See what is public about you</div></li>` : ''}
${scopes.map(({ name, words, optional }, index) =>
  optional
    ? html`<li><input type="checkbox" id="scope-${String(index)}" name="scope" value="${name}" aria-describedby="name-${String(index)}" checked><div><label for="scope-${String(index)}">${words}</label><small id="name-${String(index)}">${name}</small></div></li>`
    : html`<li>${CHECK}<div>${words}<small>${name}</small></div></li>`,
)}
</ul>
<div class="answer"><button name="answer" value="cancel">Cancel</button><button class="main" name="answer" value="allow">Allow</button></div>
</form>
<footer>You go back to ${returnsTo} afterwards.</footer>`,
  )

/** A page that an MCP server asks the person to visit (URL-mode elicitation). */
export const visitPage = (brand: Brand, words: string, isDone: boolean): Html =>
  layout(
    brand,
    words,
    isDone
      ? html`<h1>Done</h1><p>You can close this window and go back to the chat.</p>`
      : html`<h1>${words}</h1><p>The agent in your chat waits for this.</p><form method="post"><div class="answer"><button class="main">I agree</button></div></form>`,
  )

/** A person's API keys: makes one, and shows it this once. */
export const keyPage = (brand: Brand, user: string, key?: string): Html =>
  layout(
    brand,
    'Account settings',
    key === undefined
      ? html`<h1>Account settings</h1><p>API keys of ${user}. A key gives full access to the account. Everything here is made up, and no password is needed.</p>
<form method="post" class="keys"><button class="main">Create New Token</button></form>`
      : html`<h1>Your new token</h1><p>Copy it now. It isn't shown again.</p>
<div class="key"><code id="key">${key}</code></div>
<div class="answer keys"><a href="">Done</a><button class="main" type="button" id="copy">Copy</button></div>
<footer><span role="status" id="said"></span></footer>
<script>${raw(COPY)}</script>`,
  )

export const errorPage = (brand: Brand, message: string): Html =>
  layout(
    brand,
    'This does not work',
    html`<h1>This does not work</h1><p>${message}</p><footer>You can close this window.</footer>`,
  )

/** An avatar with initials, so that no image is loaded from another host. */
export function avatar(name: string): string {
  const words = name.split(' ').filter((word) => word !== 'The')
  const initials = words
    .map((word) => word[0])
    .join('')
    .slice(0, 2)
  const hue = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0) * 7, 0) % 360
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 80 80"><defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="hsl(${hue} 55% 48%)"/><stop offset="1" stop-color="hsl(${(hue + 50) % 360} 60% 34%)"/></linearGradient></defs><path fill="url(#g)" d="M0 0h80v80H0z"/><text x="40" y="51" fill="#fff" font-family="system-ui,sans-serif" font-size="30" font-weight="600" text-anchor="middle">${initials}</text></svg>`
}
