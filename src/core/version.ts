/** The version of this package, as records and `millrace version` name it. */
export const version = '0.1.0'
