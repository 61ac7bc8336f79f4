// Package telemetry is how the service tells what it does: metrics in CloudWatch's embedded metric format, log lines that name their
// invocation, and X-Ray subsegments. What happens during an invocation is reported through the invocation's context and written when it
// ends.
//
// It knows neither requests nor records, but it knows every metric and every value that a dimension may take: what is in no closed set is
// "other", whoever reports it. Nothing it does fails or delays an invocation. docs/decisions/015-telemetry.md has the reasons.
package telemetry
