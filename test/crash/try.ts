import { runScript } from './steps/run.ts'
for (let i=0;i<3;i++){
const a = await runScript()
const c: Record<string, number> = {}
for (const p of a.places) if (p.startsWith('before')) { const n=p.slice(7).replace(/ \d+$/,''); c[n]=(c[n]??0)+1 }
console.log(JSON.stringify(c), a.lines.length) }
