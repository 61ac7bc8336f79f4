package postgrestest

// Sweep runs sweep, as every test binary does when it starts.
var Sweep = removeAbandonedDirs
