package actors

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirstream/weir/checkpoint"
	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/jobgraph"
	"github.com/weirstream/weir/scheduler"
)

// discoveryInterval is the pause between two looks for new splits of a source that may get more.
const discoveryInterval = time.Second

// sourceMaster is the master's part of one source: the enumerator, which finds splits on a helper goroutine, and the
// assigner, which deals them out.
type sourceMaster struct {
	job        *job
	vertex     *jobgraph.Vertex
	uid        string
	splits     *scheduler.Splits
	enumerator connectors.Enumerator
	cancel     context.CancelFunc
	dead       bool
}

// rewind makes all enumerators and assigners anew, from a checkpoint or from the beginning.
func (j *job) rewind(id flow.CheckpointID) {
	j.closeSources()
	j.restored = id
	for _, v := range j.graph.Vertices {
		if v.Source == nil {
			continue
		}
		s := &sourceMaster{job: j, vertex: v, uid: v.Steps[0].UID}
		if err := s.open(j.manifests[id].Manifest); err != nil {
			j.post(scheduler.MasterFailed{Cause: err.Error()})
			continue
		}
		j.sources[s.uid] = s
	}
}

func (j *job) closeSources() {
	for _, uid := range slices.Sorted(maps.Keys(j.sources)) {
		j.sources[uid].close()
	}
	clear(j.sources)
}

func (s *sourceMaster) open(m *checkpoint.Manifest) (err error) {
	if s.enumerator, err = s.vertex.Source.Enumerator(); err != nil {
		return fmt.Errorf("source %s: %w", s.uid, err)
	}
	assignment, p := s.enumerator.Assignment(), s.vertex.Parallelism
	s.splits = scheduler.NewSplits(s.uid, assignment, p)
	if m != nil {
		if src := m.Source(s.uid); src != nil {
			var part scheduler.SourcePart
			if err := json.Unmarshal(src.Enumerator, &part); err != nil {
				return fmt.Errorf("source %s: %v: enumerator state: %w", s.uid, m.ID, err)
			}
			if s.splits, err = scheduler.RestoreSplits(s.uid, assignment, p, part, readerParts(*src)); err != nil {
				return err
			}
			if err := s.enumerator.Restore(part.Enumerator); err != nil {
				return fmt.Errorf("source %s: %v: %w", s.uid, m.ID, err)
			}
		}
	}
	if !s.splits.Done() {
		s.discover()
	}
	return nil
}

func readerParts(src checkpoint.SourceState) []scheduler.ReaderPart {
	var parts []scheduler.ReaderPart
	for _, r := range src.Readers {
		p := scheduler.ReaderPart{Subtask: r.Index}
		for _, sp := range r.Splits {
			p.Open = append(p.Open, connectors.Split{ID: string(sp.ID), State: sp.State, Watermark: sp.Watermark})
		}
		for _, id := range r.Finished {
			p.Finished = append(p.Finished, string(id))
		}
		parts = append(parts, p)
	}
	return parts
}

// discover looks for splits once, on a helper goroutine that close cancels, and again later if there may be more.
func (s *sourceMaster) discover() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	var fresh []connectors.Split
	var state []byte
	var done bool
	var err error
	s.job.env.async(s.job.self, s.job.stop, func() {
		if fresh, done, err = s.enumerator.Discover(ctx); err == nil {
			state, err = s.enumerator.Snapshot()
		}
	}, func() {
		cancel()
		if s.dead {
			s.closeEnumerator()
			return
		}
		s.cancel = nil
		var answers []scheduler.SplitAnswer
		if err == nil {
			answers, err = s.splits.Discovered(fresh, done, state)
		}
		if err != nil {
			s.job.post(scheduler.MasterFailed{Cause: fmt.Sprintf("source %s: %v", s.uid, err)})
			return
		}
		s.answer(answers)
		if !done {
			s.job.env.later(s.job.self, s.job.stop, discoveryInterval, func() {
				if !s.dead {
					s.discover()
				}
			})
		}
	})
}

// close ends the enumerator; while it is looking for splits that is left to discover's end.
func (s *sourceMaster) close() {
	s.dead = true
	if s.cancel != nil {
		s.cancel()
		return
	}
	s.closeEnumerator()
}

func (s *sourceMaster) closeEnumerator() {
	if err := s.enumerator.Close(); err != nil {
		s.job.env.Log.Warn("closing an enumerator", "source", s.uid, "error", err)
	}
}

// save is the source's part of a checkpoint.
func (s *sourceMaster) save() checkpoint.EnumeratorState {
	part, err := json.Marshal(s.splits.Snapshot())
	if err != nil {
		panic(&Failure{Cause: fmt.Errorf("source %s: %w", s.uid, err)}) // plain data: cannot fail
	}
	return checkpoint.EnumeratorState{UID: s.uid, State: part}
}

func (s *sourceMaster) completed(src checkpoint.SourceState) error {
	return s.splits.Completed(readerParts(src))
}

// rewindReaders takes back the splits of a region's readers that are being deployed anew.
func (j *job) rewindReaders(e scheduler.RegionRestored) {
	readers := map[string][]int{}
	for _, t := range e.Subtasks {
		if v := j.graph.Vertices[t.Vertex]; v.Source != nil {
			readers[v.Steps[0].UID] = append(readers[v.Steps[0].UID], t.Index)
		}
	}
	for _, v := range j.graph.Vertices {
		uid := v.Steps[0].UID
		if s := j.sources[uid]; s != nil && len(readers[uid]) > 0 {
			s.answer(s.splits.Rewind(readers[uid], e.Attempt))
		}
	}
}

func (j *job) requestSplits(m requestSplits) {
	if s := j.sources[m.UID]; s != nil {
		s.answer(s.splits.Requested(scheduler.SplitRequest{Subtask: m.Subtask.Index, Attempt: m.Attempt, Request: m.Request}))
	}
}

func (s *sourceMaster) answer(answers []scheduler.SplitAnswer) {
	for _, a := range answers {
		id := flow.SubtaskID{Vertex: s.vertex.ID, Index: a.Subtask}
		for _, slot := range s.job.slotPlan().Slots {
			for _, t := range slot.Subtasks {
				if t == id {
					s.job.env.System.Root.Send(s.job.slotPID(s.job.slots[slot.ID], slot.ID),
						assignSplits{Attempt: a.Attempt, Subtask: id, Request: a.Request, Splits: a.Splits, NoMore: a.NoMore})
				}
			}
		}
	}
}
