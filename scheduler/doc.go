// Package scheduler decides where a job's subtasks run, when they are deployed, restarted and released, and who reads
// which split. It decides and does nothing: events go in, effects come out, and whoever owns a Job carries them out.
//
// Read in this order: plan.go (a JobGraph cut into slots and regions), event.go and effect.go (the protocol), state.go,
// job.go (one handler per event), region.go (stop, restore, run), advance.go (what follows from an event), restart.go,
// slotpool.go (TaskManagers' slots, shared by jobs), splits.go (the splits of one source).
//
// Who runs it: the Job actor owns a Job and the Splits of its sources, the JobManager actor owns the SlotPool. Each calls
// on its own goroutine, one call at a time. Nothing here reads a clock, a file or the network, or a random generator
// that was not passed in.
//
// Words. A Slot is one slot actor: one job, one region, one slot sharing group, one index. A Share is what is put into one
// slot of a TaskManager: all Slots of the same group and index, which may belong to several regions. A Place is a slot of
// a TaskManager. An incarnation is one life of a slot actor; a TaskManager numbers those of all its slot actors from 1 and
// never gives a number twice.
//
//	I1  At most one attempt of a subtask is live: an attempt is deployed only after every slot of its region has pulled
//	    with a new incarnation, which says that the old one was stopped and awaited, or its TaskManager was lost.
//	I2  Attempts only grow over the whole job, so a message of an old attempt is known by its number and ignored.
//	I3  All slots of a region are deployed with the same attempt, checkpoint and peers.
//	I4  A region that restarts alone restarts from the newest completed checkpoint, and only when no checkpoint that was
//	    begun before its failure can complete any more. Going further back takes all regions: splits may have moved from
//	    one region to another since.
//	I5  A region that has not failed is not touched by the failure of another.
//	I6  A job that has ended holds no place: it ends only after every slot was stopped or its TaskManager was lost.
//	I7  A request to a TaskManager is repeated until its answer has come, and may arrive any number of times.
//	I8  No split is lost and none is read twice, as seen by state that is restored from a completed checkpoint.
package scheduler
