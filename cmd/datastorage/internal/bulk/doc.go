// Package bulk sends a stream of records through the API: lines of NDJSON become batches, several batches are under way at
// once, and every record ends as stored, as stored before, or as refused with its problem. What it holds in memory does
// not grow with the stream. It knows neither files nor terminals.
package bulk
