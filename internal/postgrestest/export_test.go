package postgrestest

// Sweep is what a test binary does first.
var Sweep = sweep
