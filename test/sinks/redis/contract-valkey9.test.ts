import { redisContract } from './contract.ts'

await redisContract('valkey9')
