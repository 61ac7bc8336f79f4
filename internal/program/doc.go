// Package program installs third-party programs under .local from pinned, hashed downloads, runs
// them as child processes that end with this process, and reports what the user can fix as a
// Problem.
//
// The programs are defined in internal/pgserver, internal/localstack, internal/sam and internal/scan.
package program
