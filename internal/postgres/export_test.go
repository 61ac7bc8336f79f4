package postgres

// Translate is for the tests of the translation of errors.
var Translate = translate
