package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// This file is the second half of Coordinator: how a checkpoint ends, and what becomes of requests and files then.

func (c *Coordinator) onTrigger(e Trigger) {
	same := func(r request) bool { return e.Requester != "" && r.requester == e.Requester }
	if slices.ContainsFunc(c.requests, same) || c.pending != nil && slices.ContainsFunc(c.pending.requests, same) {
		c.counters.Stray++
		return
	}
	r := request{kind: e.Kind, requester: e.Requester, notBefore: flow.MinTime}
	last := e.Kind >= flow.Stop
	switch {
	case e.Kind > flow.Final:
		c.refuse(r, fmt.Sprintf("%v is no kind of checkpoint", e.Kind))
	case c.state == Created:
		c.refuse(r, "the job has not started yet: ask again when it runs")
	case c.state == Closed:
		c.refuse(r, "the job has ended")
	case c.state == Stopping && last:
		c.answer(r, c.restore)
	case c.state == Stopping:
		c.refuse(r, "the job is stopping")
	case c.pending != nil && last && c.pending.kind >= flow.Stop:
		c.pending.requests = append(c.pending.requests, r)
	case c.state == Suspended && e.Kind != flow.Stop:
		c.refuse(r, "the job is restarting: ask again when it runs")
	case len(c.requests) >= MaxRequests:
		c.refuse(r, fmt.Sprintf("%d requests wait already", len(c.requests)))
	default:
		c.requests = append(c.requests, r)
	}
}

func (c *Coordinator) refuse(r request, why string) {
	if r.requester != "" {
		c.do(Answer{Requester: r.requester, Err: why})
	}
}

func (c *Coordinator) answer(r request, id flow.CheckpointID) {
	if r.requester != "" {
		c.do(Answer{Requester: r.requester, ID: id})
	}
}

func (c *Coordinator) onWritten(e ManifestWritten) {
	p := c.pending
	if p == nil || p.id != e.ID || p.phase != writing {
		c.counters.Stray++
		return
	}
	c.pending = nil
	c.restore, c.failures = p.id, 0
	c.retained = append(c.retained, Completed{ID: p.id, Kind: p.kind})
	c.pauseUntil = c.now.Add(c.cfg.MinPause)
	c.counters.Completed++
	c.do(NotifyComplete{ID: p.id, Kind: p.kind})
	for _, r := range p.requests {
		c.answer(r, p.id)
	}
	if p.kind >= flow.Stop {
		c.last(p.id)
	}
	c.report(p, true, "")
	for _, id := range c.abandoned {
		c.remove(id, "given up when the job was restored from an older one", false)
	}
	c.abandoned = nil
	c.trim()
	if c.state == Closed {
		c.settleRetention()
	}
}

// last serves the requests that wait when a Stop or Final checkpoint is complete.
func (c *Coordinator) last(id flow.CheckpointID) {
	for _, r := range c.requests {
		if r.kind >= flow.Stop {
			c.answer(r, id)
		} else {
			c.refuse(r, "the job is stopping")
		}
	}
	c.requests = nil
	if c.state == Running {
		c.state = Stopping
	}
}

func (c *Coordinator) onManifestFailed(e ManifestFailed) {
	p := c.pending
	if p == nil || p.id != e.ID || p.phase != writing {
		c.counters.Stray++
		return
	}
	if e.Err == nil {
		e.Err = errors.New("no reason given")
	}
	if !errors.Is(e.Err, ErrExists) {
		c.failWith("manifest: "+e.Err.Error(), func() { c.remove(p.id, "its manifest could not be written", true) })
		return
	}
	conflict := &ConflictError{Term: c.job.Term} // nothing known of the other: stand back
	errors.As(e.Err, &conflict)
	if conflict.Term < c.job.Term {
		// A zombie of an earlier term was faster. Its checkpoint is not on the way that this job came.
		c.failWith("manifest: "+e.Err.Error(), func() { c.remove(p.id, "of an earlier term", true) })
		return
	}
	reason := "another JobManager has taken over: " + e.Err.Error()
	over := c.state == Closed
	c.counters.Failed++
	c.close(Moved, reason)
	c.drop(p, reason, func() {})
	c.refuseAll(p.requests, reason)
	if !over {
		c.do(FailJob{Reason: reason})
	}
}

// abort gives up a pending checkpoint without blame. Stop requests wait for the next one.
func (c *Coordinator) abort(reason string) {
	p := c.pending
	if p == nil || p.phase == writing {
		return
	}
	c.counters.Aborted++
	c.drop(p, reason, func() { c.remove(p.id, "aborted", false) })
	for _, r := range p.requests {
		if r.kind == flow.Stop {
			c.requests = append(c.requests, r)
		} else {
			c.refuse(r, reason)
		}
	}
}

func (c *Coordinator) fail(reason string) {
	id := c.pending.id
	c.failWith(reason, func() { c.remove(id, "failed", false) })
}

// failWith ends the pending checkpoint as failed; clean asks for its files to go. A Stop or Final is tried again while
// failures are tolerated: its sources are silent by now, so the job must either come to its end or restart.
func (c *Coordinator) failWith(reason string, clean func()) {
	p := c.pending
	c.failures++
	c.counters.Failed++
	c.drop(p, reason, clean)
	if c.state == Closed {
		c.refuseAll(p.requests, reason)
		c.settleRetention()
		return
	}
	if c.failures > c.cfg.Tolerable {
		failed := fmt.Sprintf("%d checkpoints failed in a row and %d are tolerated, the last: %v: %s", c.failures, c.cfg.Tolerable, p.id, reason)
		c.failures = 0
		c.refuseAll(p.requests, reason)
		if c.state != Suspended {
			c.do(FailJob{Reason: failed})
			c.suspend(reason)
		}
		return
	}
	for _, r := range p.requests {
		switch {
		case r.kind < flow.Stop || c.state == Suspended && r.kind == flow.Final:
			c.refuse(r, reason)
		default:
			r.notBefore = c.now.Add(LastRetry)
			c.requests = append(c.requests, r)
		}
	}
}

func (c *Coordinator) refuseAll(rs []request, reason string) {
	for _, r := range rs {
		c.refuse(r, reason)
	}
}

// drop forgets the pending checkpoint p and tells everybody.
func (c *Coordinator) drop(p *pending, reason string, clean func()) {
	c.pending = nil
	c.pauseUntil = c.now.Add(c.cfg.MinPause)
	c.do(NotifyAborted{ID: p.id, Kind: p.kind, Reason: reason})
	c.report(p, false, reason)
	clean()
}

func (c *Coordinator) suspend(reason string) {
	if c.state == Created || c.state == Closed {
		return
	}
	c.abort(reason)
	c.state = Suspended
	var keep []request
	for _, r := range c.requests {
		if r.kind == flow.Stop {
			keep = append(keep, r)
		} else {
			c.refuse(r, reason)
		}
	}
	c.requests = keep
}

func (c *Coordinator) onClose(e Close) {
	if c.state == Closed {
		return
	}
	reason := "the job has ended"
	c.close(e.How, reason) // first: it decides whether files may be deleted
	if p := c.pending; p != nil && p.phase == collecting {
		c.counters.Aborted++
		c.drop(p, reason, func() { c.remove(p.id, "aborted", false) })
		c.refuseAll(p.requests, reason)
	}
	c.settleRetention()
}

// close ends everything but a manifest that is being written.
func (c *Coordinator) close(how End, reason string) {
	c.state, c.end = Closed, how
	c.refuseAll(c.requests, reason)
	c.requests = nil
}

// settleRetention deletes at the job's end what is not to be kept, once nothing is being written any more.
func (c *Coordinator) settleRetention() {
	if c.pending != nil || c.cfg.OnCancel != DeleteOnCancel || c.end != Cancelled && c.end != Finished {
		return
	}
	why := "the job has ended"
	for _, id := range c.abandoned {
		c.remove(id, why, false)
	}
	c.abandoned = nil
	var keep []Completed
	for _, d := range c.retained {
		if d.Kind == flow.Stop {
			keep = append(keep, d)
		} else {
			c.remove(d.ID, why, false)
		}
	}
	c.retained = keep
}

// trim lets go of the oldest checkpoints beyond the number that is kept (I4).
func (c *Coordinator) trim() {
	for len(c.retained) > c.cfg.Retained && c.mayDelete() {
		c.remove(c.retained[0].ID, "subsumed", false)
		c.retained = c.retained[1:]
	}
}

// mayDelete is false for a coordinator that was overtaken: what is in the store may be another's by now (I6).
func (c *Coordinator) mayDelete() bool { return c.state != Closed || c.end != Moved }

func (c *Coordinator) remove(id flow.CheckpointID, why string, doubtful bool) {
	if !c.mayDelete() {
		return
	}
	if len(c.deleting) >= MaxDeleting {
		if k := slices.IndexFunc(c.deleting, func(d deletion) bool { return !d.doubtful }); k >= 0 {
			c.deleting = slices.Delete(c.deleting, k, k+1)
		}
	}
	c.deleting = append(c.deleting, deletion{id: id, why: why, retryAt: flow.MaxTime, doubtful: doubtful})
	c.do(Delete{ID: id, Why: why})
}

func (c *Coordinator) onDeleted(e FilesDeleted) {
	k := slices.IndexFunc(c.deleting, func(d deletion) bool { return d.id == e.ID })
	switch {
	case k < 0:
		c.counters.Stray++
	case e.Err != nil:
		c.deleting[k].retryAt = c.now.Add(DeleteRetry)
	default:
		c.deleting = slices.Delete(c.deleting, k, k+1)
	}
}

func (c *Coordinator) report(p *pending, completed bool, reason string) {
	c.do(Report{Stats{
		ID: p.id, Kind: p.kind, Started: p.started, Ended: c.now, Acked: p.plan.subtasks() - p.missing, Subtasks: p.plan.subtasks(),
		Bytes: p.bytes, Completed: completed, Reason: reason, Failures: c.failures,
	}})
}
