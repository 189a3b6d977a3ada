import { Canvas, Controls, Description, Stories, Title, useOf } from '@storybook/addon-docs/blocks'
import { Sample } from './sample.tsx'
import { example, fileName } from './usage.ts'

/** The page of a component: when to use it, how to use it, its props, and its states. */
export function ComponentPage() {
  const { csfFile } = useOf('meta', ['meta'])
  const { title, parameters } = csfFile.meta
  const stories = Object.values(csfFile.stories)
  const [first] = stories.filter(({ tags = [] }) => !tags.includes('!autodocs'))
  return (
    <>
      <Title />
      <Description of="meta" />
      {first && <Canvas of={first.moduleExport} sourceState="none" />}
      <h2 id="usage">Usage</h2>
      <Sample code={example(parameters?.usage ?? fileName(title.split('/').at(-1) ?? ''))} />
      <h2 id="props">Props</h2>
      <Controls />
      <Stories title="States" />
    </>
  )
}
