// Package sim runs a whole cluster, JobManager, TaskManagers, slots and subtasks as they are in production, on one goroutine
// under a seed. The seed chooses the job's shape, the order in which actors run, how long work and alarms take, and what goes
// wrong: actors that fail or are stopped, actors that stall, a checkpoint store that fails, clocks that jump. A run must
// end FINISHED, and what its sinks have committed must be what a plain loop computes, each record once.
//
// Read in this order: world.go (the run queue, the clock, the dispatcher), pipeline.go (the job and the plain loop),
// faults.go (what goes wrong), run.go (a run from its seed to its verdict), trace.go.
//
// Who runs it: go test, and `make sim SEED=n` for one run with its trace. Nothing here starts a goroutine; Proto.Actor
// starts one per run that sleeps and then resets the throttle of a log that is dropped.
//
// Invariants:
//
//	I1  All actors, helper work and alarms run in World.step, one at a time, on the caller's goroutine.
//	I2  The same seed and the same program give the same trace, and the same hash of it.
//	I3  Faults stop after a number of steps that the seed chooses: from there on the job has to end by itself.
package sim
