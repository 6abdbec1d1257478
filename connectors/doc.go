// Package connectors is the contract between Weir and what is outside of it: sources that read splits, sinks that prepare
// and commit. The connectors themselves are the packages below this one; a user's own need nothing but this contract.
//
// Read in this order: contract.go, fixed.go. Then one connector from end to end: generator (a source), memory (a source
// and a sink), files (both, with exactly-once output). examples/connector is written by a user who knows only this
// package, and connectortest drives any connector through its contract with crashes at every step.
//
// Who runs it: the job's master calls the Enumerator; a subtask calls its Reader and Writer, one call at a time; a helper
// goroutine of the subtask calls the Committer. A connector that starts goroutines ends them in Close.
//
// Invariants, cited elsewhere by their number:
//
//	I1  A split is read by one reader at a time, from its position, and never comes back once it is done.
//	I2  Position is taken between two Polls and covers all that was emitted or rejected before: a reader opened from it
//	    goes on with the next record, so that state and input agree after a restore.
//	I3  Nothing that a Writer takes becomes visible through it alone: what must be seen exactly once becomes visible in
//	    Commit, and Commit runs only for complete checkpoints.
//	I4  A writer of an attempt that is dead may go on for a while (a zombie). It may waste space; it may not make anything
//	    visible, nor change what a later attempt relies on.
package connectors
