// Package print is a sink that prints a line per record, at least once: for looking at what a job does.
//
// Read: print.go.
//
// Who runs it: subtasks, each with a writer of its own; they share the output under a mutex, which is taken once per
// batch of whole lines. Nothing here starts a goroutine.
//
// Invariant:
//
//	I1  Lines of several writers never mix.
package print
