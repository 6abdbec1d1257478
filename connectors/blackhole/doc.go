// Package blackhole is a sink that counts its records and forgets them: for benchmarks.
//
// Read: blackhole.go.
//
// Who runs it: subtasks, each with a writer of its own. Nothing here starts a goroutine.
//
// Invariant:
//
//	I1  Count never goes back, and is exact once the writers are flushed.
package blackhole
