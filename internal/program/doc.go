// Package program installs third-party programs under .local from pinned, hashed downloads, runs them as child processes that
// end with this process, and reports what a person can fix as a Problem.
//
// It does not know which programs there are: internal/pgserver, internal/localstack and internal/sam do.
package program
