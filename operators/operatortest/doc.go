// Package operatortest runs operators in tests, the way a subtask runs them: through operators.TaskRunner, with gate,
// chain, partitions and snapshots, on a clock that stands still until it is told to move.
//
// Read in this order: script.go (what comes in), log.go (what comes out), harness.go (one subtask), verify.go.
//
// Harness is for testing one's own functions step by step: push records, move watermarks and the clock, look at the output,
// take snapshots and restore. Verify is the test that every operator has to pass: it runs one script in many ways that must
// not make a difference.
//
// Everything happens on the test's goroutine.
//
//	I1  What was pushed is wiped once it was consumed: an operator that keeps a borrowed record is found out.
//	I2  A snapshot is written after the operator has gone on: one that was not frozen is found out.
package operatortest
