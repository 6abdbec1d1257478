// Package generator makes records from their numbers: for benchmarks, tests and demonstrations.
//
// Read in this order: generator.go, rate.go.
//
// Who runs it: the subtask's goroutine; it starts none of its own.
//
// Invariants:
//
//	I1  Event n is made by split n mod splits, in ascending order, and depends on nothing but n and the user's function.
//	I2  A split's position is the number of the next event.
package generator
