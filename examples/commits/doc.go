// Package commits reads the changes of git repositories in the order in which they were committed, and sums them up by the
// time at which they were authored: late records, session windows, side outputs.
//
// Read in this order: records.go (what goes in and comes out), job.go (the job), plain.go (the same as a loop, and the
// comparison).
//
// Who runs it: Build is called before a job starts, Verify after its end. Invariants:
//
//	I1  For one input file the results depend on nothing but its lines, the delay and the gap: a change is late when the
//	    watermark, made of the changes before it, has passed its week; for its session, when it has passed the end of what
//	    the change and the open sessions that it touches make up together.
//	I2  A change is counted in one week or written to late, never both.
package commits
