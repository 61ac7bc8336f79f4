// Package sigv4test is the side of AWS in tests of signed requests: a check of signatures, written from the
// documentation and without the SDK's signer, and an STS and an SSO endpoint that issue credentials.
//
// It does not depend on what signs the requests.
package sigv4test
