// Package sam installs the SAM CLI of AWS with the Lambda emulator that is part of it, and builds
// functions as they are deployed.
//
// It does not depend on what the functions do.
package sam
