// Package memory has a source that reads from a slice and a sink that collects what a job writes: for tests and small
// demonstrations within one process.
//
// Read in this order: source.go, collector.go.
//
// Who runs it: subtasks and their committers, many at a time; the Collector is guarded by a mutex, which a writer takes
// once per batch and not per record. Nothing here starts a goroutine.
//
// Invariants:
//
//	I1  What one Prepare returned becomes visible at its Commit as a whole, once, however often it is committed.
//	I2  What was written but never committed is never visible in Committed.
package memory
