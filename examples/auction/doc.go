// Package auction finds the auctions with the most bids among generated events: query 5 of the Nexmark benchmark.
//
// Read in this order: nexmark.go (the events), job.go (the job), plain.go (the same as a loop, and the comparison).
//
// Who runs it: Build is called before a job starts; Fill by the subtasks of the source; Verify after the end. Invariants:
//
//	I1  An event is a pure function of the seed and its number, in integer arithmetic: every machine makes the same.
//	I2  A result does not depend on the parallelism, nor on the order of records: ties are all written.
package auction
