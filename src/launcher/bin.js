#!/usr/bin/env node
// Plain JavaScript that any Node can read, so that an old one is told what it lacks.
var major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  console.error('millrace needs Node 24 or later; this is Node ' + process.versions.node + '.')
  process.exit(1)
}
import('../../dist/src/launcher/main.js').catch(function (error) {
  console.error(error)
  process.exit(1)
})
