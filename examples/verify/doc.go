// Package verify compares what an example has written with what a plain loop over the same input computes.
//
// Read: verify.go.
//
// Who runs it: the Verify functions of the examples, after a job has ended. Invariant:
//
//	I1  Records are compared as a multiset: a record that was written twice is as wrong as one that is missing.
package verify
