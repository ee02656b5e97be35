import { redisContract } from './contract.ts'

await redisContract('redis8')
