// Package actors is where Weir runs: the actors of a process, their mailboxes, and the channels between subtasks. What is
// to be decided is decided below, by plain state machines; an actor tells them what it hears and does what they want.
//
// Read in this order: messages.go (all that actors say to each other), mailbox.go and outbox.go (how a message is taken,
// and how records wait for credit), subtask.go (the shell around operators.TaskRunner), slot.go (the unit of restart),
// taskmanager.go, jobmanager.go and node.go (who supervises whom), job.go with job_effects.go, job_checkpoints.go and
// job_sources.go (the master of one job); then env.go, jobs.go, events.go, stats.go and failure.go. docs/ACTORS.md has the
// tree and the table of messages.
//
// Who runs it: packages local and node start a Node. A pass of a mailbox is one goroutine of the dispatcher, so an actor
// handles one message at a time. Blocking work (uploads, manifests, commits, discovery of splits) runs by Env.Go, and its
// result comes back as a message.
//
//	I1  Nothing but an actor's own goroutine touches its state. Shared are Mailbox, credit and free lists of channels, Jobs
//	    and the numbers in Stats.
//	I2  A mailbox takes system messages first, then control messages, then frames. Frames alone need credit, so control is
//	    never behind them.
//	I3  A lane never holds more than laneCapacity frames. A frame without credit, or with a gap in its numbers, fails the
//	    subtask.
//	I4  A subtask is never restarted: its slot is, as a whole, after all subtasks in it have ended.
//	I5  A message of another attempt than the one deployed changes nothing.
//	I6  What somebody waits for is asked for again until it is answered or stale; a message may arrive any number of times.
//	I7  The failure of a job's actor fails nothing else: a new one recovers from Jobs and the checkpoint store.
package actors
