// Package bulk sends a stream of records through the API: lines of NDJSON become batches, several batches are sent
// concurrently, and every record ends as stored, as stored before, or as refused with its problem. Memory use does not grow with the
// stream. It is independent of files and terminals.
package bulk
