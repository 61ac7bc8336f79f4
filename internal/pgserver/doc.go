// Package pgserver is a private PostgreSQL on this machine: it installs the server with pgvector,
// makes its data directory, starts and stops it, and prepares a database with the roles and the
// schema of the service.
//
// It does not depend on the contents of the tables.
package pgserver
