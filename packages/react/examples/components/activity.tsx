import { Activity } from '@latchkey/react/agents'

export function WhatHappened() {
  return <Activity />
}
