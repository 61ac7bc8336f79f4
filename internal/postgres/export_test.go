package postgres

// Translate exports translate to the tests.
var Translate = translate
