import { create } from 'storybook/theming'

const font = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

/** The mark of favicon.svg and the name, in the text's colour. */
const brand = (ink: string, paper: string) =>
  `data:image/svg+xml,${encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" width="150" height="32"><rect width="32" height="32" rx="8" fill="${ink}"/><path fill="${paper}" d="M16 7a5.5 5.5 0 0 0-2.6 10.35L12 25h8l-1.4-7.65A5.5 5.5 0 0 0 16 7z"/><text x="42" y="22.5" font-family="ui-sans-serif, system-ui, sans-serif" font-size="19" font-weight="650" letter-spacing="-0.4" fill="${ink}">Latchkey</text></svg>`,
  )}`

const shared = {
  brandTitle: 'Latchkey',
  brandUrl: './?path=/docs/guides-getting-started--docs',
  brandTarget: '_self',
  fontBase: font,
  fontCode: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  appBorderRadius: 10,
  inputBorderRadius: 8,
}

/** The colours of styles.css, for what is around the components. */
export const light = create({
  base: 'light',
  ...shared,
  brandImage: brand('#16181d', '#fff'),
  colorPrimary: '#16181d',
  colorSecondary: '#1f5fd0',
  appBg: '#f7f7f8',
  appContentBg: '#fff',
  appPreviewBg: '#fff',
  appBorderColor: '#e3e4e8',
  textColor: '#16181d',
  textMutedColor: '#5b606b',
  barTextColor: '#5b606b',
  barHoverColor: '#1f5fd0',
  barSelectedColor: '#1f5fd0',
  barBg: '#fff',
  inputBg: '#fff',
  inputBorder: '#cfd1d8',
  inputTextColor: '#16181d',
})

export const dark = create({
  base: 'dark',
  ...shared,
  brandImage: brand('#f1f2f4', '#16181d'),
  colorPrimary: '#f1f2f4',
  colorSecondary: '#8ab4ff',
  appBg: '#17181c',
  appContentBg: '#101114',
  appPreviewBg: '#101114',
  appBorderColor: '#2c2e35',
  textColor: '#f1f2f4',
  textMutedColor: '#a3a8b3',
  barTextColor: '#a3a8b3',
  barHoverColor: '#8ab4ff',
  barSelectedColor: '#8ab4ff',
  barBg: '#17181c',
  inputBg: '#202228',
  inputBorder: '#454852',
  inputTextColor: '#f1f2f4',
})
