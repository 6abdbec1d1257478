// Package checkpoint decides when the checkpoints of a job are taken and when they are complete, and keeps them in a
// store. It is a pure coordinator, a format for manifests, and a small file system.
//
// Read in this order: config.go, plan.go, event.go and effect.go (what goes in and what comes out), coordinator.go (the
// way of a checkpoint), outcome.go (how it ends), pending.go (the one under way); then manifest.go, store.go with dir.go
// and memory.go, layout.go (names, loading, verifying) and restore.go (choosing one to restore).
//
// A Coordinator is owned by the actor of its job, which alone calls it, never from within an effect. It reads no clock and
// does no I/O: time and facts are passed to Handle, and what Handle returns is carried out by the actor:
//
//	for _, fx := range c.Handle(clock.Now(), ev) {
//		switch e := fx.(type) {
//		case checkpoint.SendTrigger: // snapshot the enumerators, then send barriers through the sources
//		case checkpoint.WriteManifest: // CreateManifest on a helper goroutine; then ManifestWritten or ManifestFailed
//		case checkpoint.NotifyComplete, checkpoint.NotifyAborted: // to every subtask
//		case checkpoint.Delete: // Remove on a helper goroutine; then FilesDeleted
//		case checkpoint.ScheduleTick: // one alarm, set anew each time; then Tick
//		case checkpoint.Answer: // to whoever sent the Trigger
//		case checkpoint.FailJob: // to the job's state machine: restart, and Suspend … Resume around it
//		case checkpoint.Settled: // go on with a restart that waited for it
//		case checkpoint.Report: // log, metrics, web
//		}
//	}
//
// Effects of one Handle are carried out in order, but for the two that block: their answers come back as events. All
// messages may be lost or repeated: who waits, repeats (Coordinator.Pending lists the subtasks that have not answered),
// and what comes twice or too late is counted and ignored. The example Coordinator runs the whole way.
//
// A restart goes so: Suspend; ask Restore, and if it is not settled wait for Settled; stop the old attempts; deploy from
// Restore; Resume with the new attempts. A new JobManager makes a new Coordinator under its own term, with NextID and the
// checkpoints of the store. It should take the checkpoint to restore from the job's replicated metadata, where every
// NotifyComplete was noted, and only without any from FindRestore's "latest".
//
// Stores may be called from any goroutine; uploads write state files from goroutines of their subtasks.
//
//	I1  At most one checkpoint is pending, and ids strictly ascend, over restores too.
//	I2  A checkpoint is complete once its manifest was created, by create-if-absent, and not before: then only are sinks
//	    told, in the order of ids, and older checkpoints deleted.
//	I3  While a manifest is being written, or may have been, its checkpoint is neither complete nor given up, and the job
//	    is not restored.
//	I4  At most Config.Retained completed checkpoints of the present past are kept, among them always the last one. Neither
//	    those nor the pending one are deleted while the job lives.
//	I5  In one checkpoint every split is in one place: pending or with one reader.
//	I6  Of all who write the manifest of one id one wins. Who finds a manifest of a term not below its own there was
//	    overtaken: it fails, and deletes nothing any more.
//	I7  What Decode accepts is, byte for byte, what Encode wrote.
package checkpoint
