package checkpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weirstream/weir/flow"
)

// phase is how far a pending checkpoint has come.
type phase uint8

const (
	// collecting waits for acknowledgements and the enumerators; it may be aborted.
	collecting phase = iota
	// writing waits to hear of the manifest; it can no longer be aborted, only be told (I3).
	writing
)

// verdict is what became of an acknowledgement.
type verdict uint8

const (
	ackTaken verdict = iota
	ackDuplicate
	ackUnknownSubtask
	ackOldAttempt
	ackBad
)

// request is a Trigger that waits for its Answer.
type request struct {
	kind      flow.BarrierKind
	requester string
	// notBefore holds back a Stop or Final that failed.
	notBefore flow.Time
}

// pending is the one checkpoint under way.
type pending struct {
	id       flow.CheckpointID
	kind     flow.BarrierKind
	phase    phase
	started  flow.Time
	plan     *Plan
	requests []request

	acks        [][]*AckInfo // by index of vertex and of subtask; nil: not yet
	missing     int
	bytes       int64
	enumerators []EnumeratorState // in the order of plan.Sources, once saved
	saved       bool
}

func newPending(id flow.CheckpointID, kind flow.BarrierKind, now flow.Time, plan *Plan, requests []request) *pending {
	p := &pending{id: id, kind: kind, started: now, plan: plan, requests: requests, saved: len(plan.Sources) == 0}
	p.acks = make([][]*AckInfo, len(plan.Vertices))
	for i := range plan.Vertices {
		p.acks[i] = make([]*AckInfo, len(plan.Vertices[i].Attempts))
		p.missing += len(plan.Vertices[i].Attempts)
	}
	return p
}

// known says whether s of attempt a is one of those asked.
func (p *pending) known(s flow.SubtaskID, a flow.Attempt) (vertex int, v verdict) {
	vertex, ok := p.plan.find(s)
	switch {
	case !ok:
		return 0, ackUnknownSubtask
	case p.plan.Vertices[vertex].Attempts[s.Index] != a:
		return 0, ackOldAttempt
	}
	return vertex, ackTaken
}

func (p *pending) ack(e Ack) (verdict, error) {
	vertex, v := p.known(e.Subtask, e.Attempt)
	if v != ackTaken {
		return v, nil
	}
	if p.acks[vertex][e.Subtask.Index] != nil {
		return ackDuplicate, nil
	}
	if err := checkStateFile(e.Info.File, e.Info.Size); err != nil {
		return ackBad, fmt.Errorf("subtask %v acknowledged %w", e.Subtask, err)
	}
	for _, r := range e.Info.Readers {
		if !slices.Contains(p.plan.Sources, r.UID) {
			return ackBad, fmt.Errorf("subtask %v acknowledged splits of %q, which is no source of this job", e.Subtask, r.UID)
		}
	}
	p.acks[vertex][e.Subtask.Index] = &e.Info
	p.missing--
	p.bytes += e.Info.Size
	return ackTaken, nil
}

// enumerated takes the enumerators' part, which must be of exactly the plan's sources.
func (p *pending) enumerated(sources []EnumeratorState) error {
	byUID := make([]EnumeratorState, len(p.plan.Sources))
	for i, uid := range p.plan.Sources {
		k := slices.IndexFunc(sources, func(s EnumeratorState) bool { return s.UID == uid })
		if k < 0 || len(sources) != len(p.plan.Sources) {
			return fmt.Errorf("the enumerators saved are not those of the job's sources %q", p.plan.Sources)
		}
		byUID[i] = sources[k]
	}
	p.enumerators, p.saved = byUID, true
	return nil
}

func (p *pending) full() bool { return p.missing == 0 && p.saved }

// maxNamed bounds the subtasks that an error message names.
const maxNamed = 5

// waitingFor says in words what has not come yet.
func (p *pending) waitingFor() string {
	var names []string
	if !p.saved {
		names = append(names, "the enumerators")
	}
	left := p.missing
	for _, s := range p.missed(maxNamed) {
		names = append(names, "subtask "+s.String())
		left--
	}
	if left > 0 {
		names = append(names, fmt.Sprintf("%d subtasks more", left))
	}
	return strings.Join(names, ", ")
}

// missed lists the first n subtasks that have not acknowledged; n < 0: all.
func (p *pending) missed(n int) (s []flow.SubtaskID) {
	for i, acks := range p.acks {
		for k, a := range acks {
			if a == nil && len(s) != n {
				s = append(s, flow.SubtaskID{Vertex: p.plan.Vertices[i].ID, Index: k})
			}
		}
	}
	return s
}

// manifest puts the parts together. An error means that the parts contradict each other.
func (p *pending) manifest(job Job, now flow.Time) (*Manifest, error) {
	m := &Manifest{
		Job: job.Name, Run: job.Run, Term: job.Term, Fingerprint: p.plan.Fingerprint,
		ID: p.id, Kind: p.kind, Started: p.started, Completed: now,
	}
	for i := range p.plan.Vertices {
		v := &p.plan.Vertices[i]
		vs := VertexState{
			ID: v.ID, Name: v.Name, UIDs: slices.Clone(v.UIDs), Parallelism: len(v.Attempts), MaxParallelism: v.MaxParallelism,
			Subtasks: make([]SubtaskState, len(v.Attempts)),
		}
		for k, a := range p.acks[i] {
			vs.Subtasks[k] = SubtaskState{Index: k, Attempt: v.Attempts[k], File: a.File, Size: a.Size, Sum: Sum(a.Sum), Records: a.Records}
		}
		m.Vertices = append(m.Vertices, vs)
	}
	for _, e := range p.enumerators {
		m.Sources = append(m.Sources, p.source(e))
	}
	return m, m.Validate()
}

// source joins what the enumerator and the readers of one source know. The enumerator was asked first, so a split it
// lists as pending may have reached a reader before the barrier did: what the reader says of it is newer (I5).
func (p *pending) source(e EnumeratorState) SourceState {
	s := SourceState{UID: e.UID, Enumerator: e.State}
	taken := make(map[SplitID]bool)
	for i, acks := range p.acks {
		for k, a := range acks {
			for _, r := range a.Readers {
				if r.UID != e.UID {
					continue
				}
				s.Readers = append(s.Readers, ReaderState{Vertex: p.plan.Vertices[i].ID, Index: k, Splits: r.Splits, Finished: r.Finished})
				for _, x := range r.Splits {
					taken[x.ID] = true
				}
				for _, x := range r.Finished {
					taken[x] = true
				}
			}
		}
	}
	for _, x := range e.Pending {
		if !taken[x.ID] {
			s.Pending = append(s.Pending, x)
		}
	}
	return s
}
