import { Canvas, Controls, Description, DocsContext, Source, Title, useOf } from '@storybook/addon-docs/blocks'
import { useContext } from 'react'
import { Dark } from './page.tsx'
import { Sample } from './sample.tsx'
import { example, fileName } from './usage.ts'

/** The page of a component: when to use it, how to use it, its props, and its states. */
export function ComponentPage() {
  const { title, parameters } = useOf('meta', ['meta']).csfFile.meta
  const stories = useContext(DocsContext)
    .componentStories()
    .filter(({ tags }) => tags.includes('autodocs'))
  const [first] = stories
  return (
    <>
      <Title />
      <Description of="meta" />
      {first && <Shown story={first} sourceState="none" />}
      <h2 id="usage">Usage</h2>
      <Sample code={example(parameters?.usage ?? fileName(title.split('/').at(-1) ?? ''))} />
      <h2 id="props">Props</h2>
      <div className="docs-scroll">
        <Controls />
      </div>
      <h2 id="states">States</h2>
      {stories.map((story) => (
        <section key={story.id} className="docs-state">
          <h3 id={story.id}>{story.name}</h3>
          <Description of={story.moduleExport} />
          <Shown story={story} sourceState="hidden" />
        </section>
      ))}
    </>
  )
}

type Story = ReturnType<React.ContextType<typeof DocsContext>['componentStories']>[number]

/** A story with its code. A dialog covers its page, so it has a frame, as high as `parameters.docs.frame` says. */
function Shown({ story, sourceState }: { story: Story; sourceState: 'hidden' | 'none' }) {
  const dark = useContext(Dark)
  const { frame } = story.parameters.docs ?? {}
  if (!frame) return <Canvas of={story.moduleExport} sourceState={sourceState} />
  const globals = `theme:${dark ? 'dark' : 'light'};width:full`
  return (
    <>
      <iframe
        className="docs-frame"
        title={story.name}
        src={`iframe.html?id=${story.id}&viewMode=story&globals=${globals}`}
        height={frame}
        loading="lazy"
      />
      {sourceState === 'hidden' && <Source of={story.moduleExport} dark={dark} />}
    </>
  )
}
