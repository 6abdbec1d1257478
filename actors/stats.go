package actors

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/operators"
)

// Stats is what the subtasks of a process measure. Subtasks write their own entries, anybody reads.
type Stats struct {
	mu       sync.Mutex // guards the map, not the entries
	subtasks map[statsKey]*SubtaskStats
}

type statsKey struct {
	job flow.JobID
	id  flow.SubtaskID
}

// SubtaskStats is one subtask's, over all its attempts. Counts go on over restarts: they say what was done, repeated work
// included.
type SubtaskStats struct {
	id        flow.SubtaskID
	steps     []*operators.Counters
	in, out   atomic.Int64
	watermark atomic.Int64
	phase     atomic.Int32
	attempt   atomic.Int64
	meter     atomic.Pointer[Meter]
	// earlier attempts' totals
	pastIn, pastOut, pastBusy, pastBlocked atomic.Int64
}

// NewStats makes an empty Stats.
func NewStats() *Stats { return &Stats{subtasks: map[statsKey]*SubtaskStats{}} }

func (s *Stats) subtask(job flow.JobID, id flow.SubtaskID, v *jobgraph.Vertex) *SubtaskStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := statsKey{job, id}
	st := s.subtasks[k]
	if st == nil {
		st = &SubtaskStats{id: id}
		for range v.Steps {
			st.steps = append(st.steps, &operators.Counters{})
		}
		s.subtasks[k] = st
	}
	return st
}

// attach begins an attempt.
func (s *SubtaskStats) attach(a flow.Attempt, m *Meter) {
	if old := s.meter.Swap(m); old != nil {
		s.pastBusy.Add(old.busy.Load())
		s.pastBlocked.Add(old.backpressure.Load())
	}
	s.pastIn.Add(s.in.Swap(0))
	s.pastOut.Add(s.out.Swap(0))
	s.watermark.Store(int64(flow.MinTime))
	s.phase.Store(int32(operators.Created))
	s.attempt.Store(int64(a))
}

// Reading is what a subtask's numbers were at one moment.
type Reading struct {
	Subtask                       flow.SubtaskID
	Attempt                       flow.Attempt
	Phase                         operators.Phase
	In, Out                       int64 // records
	Watermark                     flow.Time
	BusyNanos, BackpressuredNanos int64
	LateDropped, Rejected, Fired  int64
	LateByStep, RejectedByStep    []int64
}

// Read returns the numbers of all subtasks of a job, by vertex and index.
func (s *Stats) Read(job flow.JobID) []Reading {
	s.mu.Lock()
	var all []*SubtaskStats
	for k, st := range s.subtasks {
		if k.job == job {
			all = append(all, st)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(all, func(a, b *SubtaskStats) int {
		return cmp.Or(cmp.Compare(a.id.Vertex, b.id.Vertex), cmp.Compare(a.id.Index, b.id.Index))
	})
	out := make([]Reading, len(all))
	for i, st := range all {
		out[i] = st.read()
	}
	return out
}

func (s *SubtaskStats) read() Reading {
	r := Reading{
		Subtask: s.id, Attempt: flow.Attempt(s.attempt.Load()), Phase: operators.Phase(s.phase.Load()),
		In: s.pastIn.Load() + s.in.Load(), Out: s.pastOut.Load() + s.out.Load(), Watermark: flow.Time(s.watermark.Load()),
		BusyNanos: s.pastBusy.Load(), BackpressuredNanos: s.pastBlocked.Load(),
	}
	if m := s.meter.Load(); m != nil {
		r.BusyNanos += m.busy.Load()
		r.BackpressuredNanos += m.backpressure.Load()
	}
	for _, c := range s.steps {
		late, rejected := c.LateDropped.Load(), c.Rejected.Load()
		r.LateDropped += late
		r.Rejected += rejected
		r.Fired += c.Fired.Load()
		r.LateByStep, r.RejectedByStep = append(r.LateByStep, late), append(r.RejectedByStep, rejected)
	}
	return r
}
