package checkpoint

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
)

// machine drives a coordinator with everything that may happen, in any order, and holds it to the package's invariants.
// It plays the shell: it knows which manifests are in the store, who has acknowledged, and who waits for an answer.
type machine struct {
	c   *Coordinator
	cfg Config
	now flow.Time

	attempt  flow.Attempt
	pending  flow.CheckpointID // triggered, neither completed nor aborted
	lastID   flow.CheckpointID
	lastDone flow.CheckpointID
	acked    map[flow.SubtaskID]bool
	saved    bool
	writing  *Manifest
	created  bool // the manifest being written
	fenced   bool
	closed   bool
	moved    bool
	alarm    flow.Time
	store    map[flow.CheckpointID]bool // manifests there are, but for those given up at the start
	deleting []flow.CheckpointID
	waiting  map[string]bool
	tokens   int
}

func (m *machine) plan() Plan { return (&script{attempt: m.attempt, sources: []string{"src"}}).plan() }

func newMachine(t *rapid.T) *machine {
	m := &machine{now: 1000, attempt: 1, alarm: flow.MaxTime, store: map[flow.CheckpointID]bool{}, waiting: map[string]bool{}}
	m.cfg = Config{
		Interval: rapid.SampledFrom([]flow.Time{0, 50, 100}).Draw(t, "interval"), MinPause: rapid.SampledFrom([]flow.Time{0, 70}).Draw(t, "pause"),
		Timeout: 200, Tolerable: rapid.IntRange(0, 2).Draw(t, "tolerable"), Retained: rapid.IntRange(1, 3).Draw(t, "retained"),
		OnCancel: rapid.SampledFrom([]Retention{RetainOnCancel, DeleteOnCancel}).Draw(t, "cancel"),
	}
	c, err := New(m.cfg, Job{Name: "j", Run: "r", Term: 5})
	if err != nil {
		t.Fatal(err)
	}
	m.c = c
	e := Start{Plan: m.plan(), NextID: 1, Restored: flow.CheckpointID(rapid.IntRange(0, 4).Draw(t, "restored"))}
	for id := flow.CheckpointID(1); id <= 5 && e.Restored > 0; id++ {
		if id == e.Restored || rapid.Bool().Draw(t, "owned") {
			e.Owned = append(e.Owned, Completed{ID: id})
			m.lastID = max(m.lastID, id)
			if id <= e.Restored {
				m.store[id] = true
			}
		}
	}
	m.lastDone = e.Restored
	m.handle(t, e)
	return m
}

func (m *machine) handle(t *rapid.T, ev Event) {
	for _, fx := range m.c.Handle(m.now, ev) {
		m.effect(t, fx)
	}
	m.check(t)
}

func (m *machine) effect(t *rapid.T, fx Effect) {
	switch e := fx.(type) {
	case SendTrigger:
		if m.pending != 0 || e.ID <= m.lastID {
			t.Fatalf("I1: %v while %v is pending, the last id was %v", e, m.pending, m.lastID)
		}
		m.pending, m.lastID, m.acked, m.saved = e.ID, e.ID, map[flow.SubtaskID]bool{}, false
	case WriteManifest:
		if e.Manifest.ID != m.pending || len(m.acked) != 3 || !m.saved || m.writing != nil {
			t.Fatalf("I2: %v, pending %v, acked %v, enumerators %v", e, m.pending, m.acked, m.saved)
		}
		m.writing, m.created = e.Manifest, false
	case NotifyComplete:
		if e.ID != m.pending || !m.store[e.ID] || e.ID <= m.lastDone {
			t.Fatalf("I2: %v, pending %v, manifest %v, last completed %v", e, m.pending, m.store[e.ID], m.lastDone)
		}
		m.pending, m.lastDone, m.writing = 0, e.ID, nil
	case NotifyAborted:
		if e.ID != m.pending || m.writing != nil {
			t.Fatalf("I3: %v, pending %v, writing %v", e, m.pending, m.writing != nil)
		}
		m.pending = 0
	case Delete:
		if m.fenced || m.moved || e.ID == m.pending {
			t.Fatalf("I4, I6: %v, pending %v, fenced %v, moved %v", e, m.pending, m.fenced, m.moved)
		}
		for _, r := range m.c.Retained() {
			if r.ID == e.ID {
				t.Fatalf("I4: %v, which is retained", e)
			}
		}
		if !slices.Contains(m.deleting, e.ID) {
			m.deleting = append(m.deleting, e.ID)
		}
	case ScheduleTick:
		if e.At <= m.now || m.closed {
			t.Fatalf("%v, and it is %d: it would spin; closed %v", e, m.now, m.closed)
		}
		m.alarm = e.At
	case Answer:
		if !m.waiting[e.Requester] {
			t.Fatalf("%v, who does not wait", e)
		}
		if e.Err == "" && !m.store[e.ID] {
			t.Fatalf("I2: %v, which has no manifest", e)
		}
		delete(m.waiting, e.Requester)
	case Settled:
		if id, ok := m.c.Restore(); !ok || id != e.Restore {
			t.Fatalf("I3: %v, and Restore says %v %v", e, id, ok)
		}
	}
}

func (m *machine) check(t *rapid.T) {
	kept := m.c.Retained()
	if len(kept) > m.cfg.Retained && !m.moved {
		t.Fatalf("I4: %v are retained, %d may be", kept, m.cfg.Retained)
	}
	id, settled := m.c.Restore()
	if id != m.lastDone {
		t.Fatalf("I2: restore from %v, the last completed is %v", id, m.lastDone)
	}
	if !m.closed && id != 0 && !slices.ContainsFunc(kept, func(c Completed) bool { return c.ID == id }) {
		t.Fatalf("I4: %v is the last and not among %v", id, kept)
	}
	if settled && !m.closed {
		for there := range m.store {
			if there > id {
				t.Fatalf("I3: settled on %v, and there is a manifest of %v", id, there)
			}
		}
	}
	if m.c.State() == Running && m.writing == nil && (m.pending != 0 || m.cfg.Interval > 0) && m.alarm == flow.MaxTime && m.c.doubts() < MaxDoubts {
		t.Fatalf("running with pending %v, and no tick was asked for", m.pending)
	}
	if m.closed && m.writing == nil && len(m.waiting) > 0 {
		t.Fatalf("closed, and %v still wait", m.waiting)
	}
}

// anyID is the pending checkpoint, mostly.
func (m *machine) anyID(t *rapid.T) flow.CheckpointID {
	if rapid.IntRange(0, 9).Draw(t, "which") > 0 {
		return m.pending
	}
	return flow.CheckpointID(rapid.Int64Range(-1, int64(m.lastID)+1).Draw(t, "id"))
}

func (m *machine) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"time": func(t *rapid.T) {
			m.now += flow.Time(rapid.IntRange(0, 120).Draw(t, "ms"))
			if rapid.IntRange(0, 9).Draw(t, "long") == 0 {
				m.now += DeleteRetry
			}
			if m.now >= m.alarm {
				m.alarm = flow.MaxTime
				m.handle(t, Tick{})
			}
		},
		"clock": func(t *rapid.T) {
			back := flow.Time(rapid.IntRange(1, 500).Draw(t, "ms"))
			m.now -= back
			m.alarm = flow.MaxTime
			m.handle(t, Tick{})
		},
		"ack": m.ack,
		"ack all": func(t *rapid.T) {
			if m.pending == 0 || m.writing != nil {
				t.Skip("none")
			}
			id := m.pending
			for _, s := range []flow.SubtaskID{{}, {Vertex: 1}, {Vertex: 1, Index: 1}} {
				m.acked[s] = true
				m.handle(t, Ack{ID: id, Subtask: s, Attempt: m.attempt, Info: AckInfo{File: StateFile(s, m.attempt), Size: 1}})
			}
			if m.pending == id {
				m.saved = true
				m.handle(t, EnumeratorsSaved{ID: id, Sources: []EnumeratorState{{UID: "src"}}})
			}
		},
		"enumerators": func(t *rapid.T) {
			id := m.anyID(t)
			e := EnumeratorsSaved{ID: id, Sources: []EnumeratorState{{UID: "src"}}}
			if rapid.IntRange(0, 9).Draw(t, "ok") == 0 {
				e.Err = errors.New("no")
			} else if id == m.pending && id != 0 {
				m.saved = true
			}
			m.handle(t, e)
		},
		"decline": func(t *rapid.T) {
			m.handle(t, Decline{ID: m.anyID(t), Subtask: flow.SubtaskID{Vertex: 1, Index: rapid.IntRange(0, 2).Draw(t, "index")}, Attempt: m.attempt, Reason: "no"})
		},
		"trigger": func(t *rapid.T) {
			m.tokens++
			token := fmt.Sprint("r", m.tokens)
			m.waiting[token] = true
			m.handle(t, Trigger{Kind: flow.BarrierKind(rapid.IntRange(0, 2).Draw(t, "kind")), Requester: token})
		},
		"manifest": m.manifest,
		"suspend":  func(t *rapid.T) { m.handle(t, Suspend{Reason: "tm-1 is dead"}) },
		"abort":    func(t *rapid.T) { m.handle(t, Abort{Reason: "enough"}) },
		"resume": func(t *rapid.T) {
			if _, settled := m.c.Restore(); !settled || m.c.State() != Suspended {
				t.Skip("not now")
			}
			m.attempt++
			m.handle(t, Resume{Plan: m.plan()})
		},
		"deleted": func(t *rapid.T) {
			if len(m.deleting) == 0 {
				t.Skip("none")
			}
			k := rapid.IntRange(0, len(m.deleting)-1).Draw(t, "which")
			e := FilesDeleted{ID: m.deleting[k]}
			if rapid.IntRange(0, 4).Draw(t, "ok") == 0 {
				e.Err = errors.New("i/o")
			} else {
				delete(m.store, e.ID)
			}
			m.deleting = slices.Delete(m.deleting, k, k+1)
			m.handle(t, e)
		},
		"close": func(t *rapid.T) {
			if rapid.IntRange(0, 19).Draw(t, "now") > 0 {
				t.Skip("not yet")
			}
			how := End(rapid.IntRange(int(Cancelled), int(Moved)).Draw(t, "how"))
			m.moved = m.moved || !m.closed && how == Moved
			m.closed = true
			m.handle(t, Close{How: how})
		},
	}
}

func (m *machine) ack(t *rapid.T) {
	id := m.anyID(t)
	s := flow.SubtaskID{Vertex: flow.VertexID(rapid.IntRange(0, 1).Draw(t, "vertex"))}
	if s.Vertex == 1 {
		s.Index = rapid.IntRange(0, 1).Draw(t, "index")
	}
	a := m.attempt
	if rapid.IntRange(0, 9).Draw(t, "old") == 0 {
		a--
	} else if id == m.pending && id != 0 {
		m.acked[s] = true
	}
	m.handle(t, Ack{ID: id, Subtask: s, Attempt: a, Info: AckInfo{File: StateFile(s, a+1), Size: 1}})
}

// manifest answers WriteManifest in one of the ways that a store may.
func (m *machine) manifest(t *rapid.T) {
	if m.writing == nil {
		t.Skip("none")
	}
	id := m.writing.ID
	switch rapid.IntRange(0, 5).Draw(t, "how") {
	case 0, 1, 2:
		m.store[id] = true
		m.handle(t, ManifestWritten{ID: id})
	case 3: // nobody knows
		if rapid.Bool().Draw(t, "there") {
			m.store[id] = true
		}
		m.writing = nil
		m.handle(t, ManifestFailed{ID: id, Err: errors.New("i/o")})
	case 4: // a zombie was faster
		m.store[id], m.writing = true, nil
		m.handle(t, ManifestFailed{ID: id, Err: &ConflictError{Term: 4}})
	case 5: // we are the zombie
		if rapid.IntRange(0, 9).Draw(t, "fenced") > 0 {
			t.Skip("not now")
		}
		m.writing, m.fenced, m.closed = nil, true, true
		m.handle(t, ManifestFailed{ID: id, Err: &ConflictError{Term: flow.Term(rapid.IntRange(5, 6).Draw(t, "term"))}})
	}
}

// Longer runs than rapid's default of 30 steps: a few checkpoints complete in each. The command line may say otherwise.
func init() {
	for name, value := range map[string]string{"rapid.steps": "100", "rapid.checks": "300"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
}

func TestCoordinatorKeepsItsInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		t.Repeat(m.actions())
	})
}
