package postgres

// What the tests of the translation of errors look at.
var (
	Translate = translate
	Passing   = passing
)
