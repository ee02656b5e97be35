/**
 * Cases that the project contradicts on purpose, name → reason. A reason is a documented improvement
 * on Debezium; what the server at hand cannot run is found out when the case runs.
 */
export const skips: ReadonlyMap<string, string> = new Map([])
