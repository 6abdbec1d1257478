// Package bench says what the engine costs: it runs small jobs of the public API and, in turn with them, the same work as
// hand-written loops, in one process, and prints one table of ratios with their goals.
//
//	go run ./bench/cmd            all rows, about a minute and a half
//	go run ./bench/cmd -quick     a tenth of the records
//	go run ./bench/cmd -only tax  rows with that in their name; -cpuprofile file for a profile of them
//
// Read in this order: records.go (what goes in), jobs.go (the jobs), loops.go (the same without an engine), digest.go (the
// sink), latency.go (a source of single records), measure.go (rounds and medians), suite.go (the rows), report.go (the
// table).
//
// Who runs it: one goroutine calls everything here; the jobs run on the engine's own. Invariants:
//
//	I1  A job and its loop get the same records from the same function, and the digests of their results are equal: a row
//	    whose digests differ fails.
//	I2  The two sides of a ratio run in turn, after a collection each; the ratio is that of their medians.
package bench
