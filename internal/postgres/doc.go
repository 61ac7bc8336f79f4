// Package postgres is the store: the connection pool, the statements, and the translation of the
// driver's errors into the domain's. It keeps records, signatures, vectors and the journal, and
// lists and searches them.
//
// It neither validates input (package audit does) nor makes vectors (package embedding does), and
// is independent of HTTP. Every returned error satisfies errors.Is for the sentinel of package
// audit that determines what the caller can do, and for context.Canceled or
// context.DeadlineExceeded if one of them was the cause.
//
// Files are named for the operation (append, update, list, search), because most operations span
// several tables. The statements are in queries, a file per table; internal/dbsqlc is generated
// from them.
package postgres
