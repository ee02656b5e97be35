import { setFlagsFromString } from 'node:v8'

/**
 * Keeps Node's young generation as small as it starts: it would grow to 32 MB and more, although
 * what a pipeline makes dies young. On a transaction of a million rows this brought the peak of
 * resident memory from 190 to 115 MB, for at most a tenth more CPU. Import it first, before
 * anything is made.
 */
setFlagsFromString('--semi-space-growth-factor=1')
