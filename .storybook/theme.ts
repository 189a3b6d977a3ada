import { create } from 'storybook/theming'

const font = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'

const shared = {
  brandTitle: 'Latchkey',
  fontBase: font,
  fontCode: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
  appBorderRadius: 10,
  inputBorderRadius: 8,
}

/** The colours of styles.css, for what is around the components. */
export const light = create({
  base: 'light',
  ...shared,
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
