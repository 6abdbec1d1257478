package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// TestSplitsModel reads numbered records from splits in subtasks that are a region each, with checkpoints, crashes of
// some, crashes of all at another parallelism, and a network that loses and repeats. In the end every record must be in
// the state of the subtasks exactly once (I8).
func TestSplitsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		for k := range uint64(20) {
			m := newSplitsModel(t, rand.New(rand.NewPCG(seed, k)))
			for range 200 {
				m.step()
			}
			m.finish()
		}
	})
}

const recordsPerSplit = 5

type splitsModel struct {
	*rapid.T
	rand    *rand.Rand
	mode    connectors.Assignment
	splits  *Splits
	found   int // splits that the enumerator has found
	total   int
	attempt flow.Attempt
	readers []*simReader
	basis   map[string]int // the same
	done    *simCheckpoint // the newest completed
	pending *simCheckpoint // under way
	answers []SplitAnswer  // in flight
}

type simReader struct {
	attempt  flow.Attempt
	request  int64
	open     map[string]int // position by split
	order    []string
	finished []string
	noMore   bool
	waiting  bool
	counted  map[string]int
}

func (r *simReader) copyCounted() map[string]int {
	c := map[string]int{}
	for k, v := range r.counted {
		c[k] = v
	}
	return c
}

type simCheckpoint struct {
	part    *SourcePart
	acks    []*ReaderPart
	counted []map[string]int
	basis   map[string]int
}

func newSplitsModel(t *rapid.T, r *rand.Rand) *splitsModel {
	m := &splitsModel{T: t, rand: r, mode: connectors.Assignment(r.IntN(2)), total: r.IntN(12), basis: map[string]int{}}
	m.splits = NewSplits("numbers", m.mode, 1+r.IntN(4))
	m.start()
	return m
}

// start deploys all subtasks.
func (m *splitsModel) start() {
	m.readers = nil
	for i := range len(m.splits.readers) {
		m.readers = append(m.readers, nil)
		m.deploy(i, map[string]int{})
	}
}

func (m *splitsModel) deploy(i int, counted map[string]int) {
	m.attempt++
	m.readers[i] = &simReader{attempt: m.attempt, open: map[string]int{}, counted: counted}
	m.send(m.splits.Rewind([]int{i}, m.attempt))
}

func (m *splitsModel) send(a []SplitAnswer) { m.answers = append(m.answers, a...) }

func (m *splitsModel) step() {
	i := m.rand.IntN(len(m.readers))
	r := m.readers[i]
	switch op := m.rand.IntN(100); {
	case op < 8:
		m.discover()
	case op < 35:
		m.ask(i)
	case op < 55:
		m.receive(m.rand.IntN(3) == 0)
	case op < 60 && len(m.answers) > 0:
		m.answers = m.answers[1:] // lost
	case op < 80:
		r.read()
	case op < 86:
		m.trigger()
	case op < 92:
		m.ack(i)
	case op < 95:
		m.complete()
	case op < 98:
		m.crash(i)
	case op == 98:
		m.crashAll()
	default:
		m.pending = nil // expired
	}
}

func (m *splitsModel) discover() {
	var fresh []connectors.Split
	for range m.rand.IntN(3) {
		if m.found < m.total {
			fresh = append(fresh, connectors.Split{ID: fmt.Sprintf("s%02d", m.found), State: []byte{0}})
			m.found++
		}
	}
	answers, err := m.splits.Discovered(fresh, m.found == m.total, []byte{byte(m.found)})
	if err != nil {
		m.Fatal(err)
	}
	m.send(answers)
}

// ask sends a new request, or repeats the one that waits.
func (m *splitsModel) ask(i int) {
	r := m.readers[i]
	if !r.waiting {
		if r.noMore || (m.mode == connectors.Pull && len(r.order) > 0) {
			return
		}
		r.request++
		r.waiting = true
	}
	m.send(m.splits.Requested(SplitRequest{i, r.attempt, r.request}))
}

// receive delivers an answer, perhaps twice.
func (m *splitsModel) receive(again bool) {
	if len(m.answers) == 0 {
		return
	}
	k := m.rand.IntN(len(m.answers))
	a := m.answers[k]
	if !again {
		m.answers = slices.Delete(m.answers, k, k+1)
	}
	if a.Subtask >= len(m.readers) {
		return
	}
	r := m.readers[a.Subtask]
	if !r.waiting || a.Attempt != r.attempt || a.Request != r.request {
		return
	}
	r.waiting, r.noMore = false, a.NoMore
	for _, s := range a.Splits {
		r.open[s.ID] = int(s.State[0])
		r.order = append(r.order, s.ID)
	}
}

// read reads one record of the first open split.
func (r *simReader) read() {
	if len(r.order) == 0 {
		return
	}
	id := r.order[0]
	if r.open[id] < recordsPerSplit {
		r.counted[fmt.Sprint(id, ":", r.open[id])]++
		r.open[id]++
		return
	}
	delete(r.open, id)
	r.order = r.order[1:]
	r.finished = append(r.finished, id)
}

func (m *splitsModel) trigger() {
	if m.pending != nil {
		return
	}
	m.pending = &simCheckpoint{acks: make([]*ReaderPart, len(m.readers)), counted: make([]map[string]int, len(m.readers)), basis: m.basis}
	if m.rand.IntN(2) == 0 {
		part := m.splits.Snapshot()
		m.pending.part = &part
	}
}

func (m *splitsModel) ack(i int) {
	if m.pending == nil || m.pending.acks[i] != nil {
		return
	}
	r := m.readers[i]
	p := &ReaderPart{Subtask: i, Finished: slices.Clone(r.finished)}
	for _, id := range r.order {
		p.Open = append(p.Open, connectors.Split{ID: id, State: []byte{byte(r.open[id])}})
	}
	m.pending.acks[i], m.pending.counted[i] = p, r.copyCounted()
}

func (m *splitsModel) complete() {
	if m.pending == nil || slices.Contains(m.pending.acks, nil) {
		return
	}
	c := m.pending
	m.pending = nil
	if c.part == nil {
		part := m.splits.Snapshot()
		c.part = &part
	}
	if err := m.splits.Completed(c.parts()); err != nil {
		m.Fatal(err)
	}
	m.done = c
}

func (c *simCheckpoint) parts() []ReaderPart {
	var all []ReaderPart
	for _, p := range c.acks {
		all = append(all, *p)
	}
	return all
}

// crash restarts one subtask from the newest checkpoint; what is under way is given up.
func (m *splitsModel) crash(i int) {
	m.pending = nil
	counted := map[string]int{}
	if m.done != nil && i < len(m.done.counted) {
		for k, v := range m.done.counted[i] {
			counted[k] = v
		}
	}
	m.deploy(i, counted)
}

// crashAll restarts the job from the newest checkpoint at another parallelism.
func (m *splitsModel) crashAll() {
	m.pending = nil
	parallelism := 1 + m.rand.IntN(4)
	if m.done == nil {
		m.splits, m.found, m.basis = NewSplits("numbers", m.mode, parallelism), 0, map[string]int{}
	} else {
		s, err := RestoreSplits("numbers", m.mode, parallelism, *m.done.part, m.done.parts())
		if err != nil {
			m.Fatal(err)
		}
		m.splits, m.found = s, 0
		if e := s.Enumerator(); e != nil {
			m.found = int(e[0])
		}
		m.basis = union(m.done.basis, m.done.counted...)
		// From here on the checkpoint stands for what the subtasks had: none of them has counted anything of its own yet.
		m.done = &simCheckpoint{part: m.done.part, acks: m.done.acks, counted: make([]map[string]int, parallelism), basis: m.basis}
	}
	m.start()
}

func union(a map[string]int, more ...map[string]int) map[string]int {
	all := map[string]int{}
	for _, c := range append([]map[string]int{a}, more...) {
		for k, v := range c {
			all[k] += v
		}
	}
	return all
}

// finish lets all readers come to their end, without faults.
func (m *splitsModel) finish() {
	for range 2000 {
		m.discover()
		end := m.found == m.total && m.splits.Done()
		for i, r := range m.readers {
			m.ask(i)
			r.read()
			end = end && r.noMore && len(r.order) == 0
		}
		for len(m.answers) > 0 {
			m.receive(false)
		}
		if end {
			break
		}
	}
	got := m.basis
	for _, r := range m.readers {
		got = union(got, r.counted)
	}
	want := map[string]int{}
	for s := range m.total {
		for n := range recordsPerSplit {
			want[fmt.Sprintf("s%02d:%d", s, n)] = 1
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		m.Fatalf("records (-want +got):\n%s", diff)
	}
	if pending, _ := m.splits.Count(); pending != 0 {
		m.Fatalf("%d splits left", pending)
	}
}

func splitsNamed(ids ...string) []connectors.Split {
	var all []connectors.Split
	for _, id := range ids {
		all = append(all, connectors.Split{ID: id})
	}
	return all
}

func answersOf(answers []SplitAnswer) string {
	var lines []string
	for _, a := range answers {
		lines = append(lines, a.String())
	}
	return strings.Join(lines, "\n")
}

func TestEagerDealsByID(t *testing.T) {
	s := NewSplits("topic", connectors.Eager, 2)
	s.Rewind([]int{0, 1}, 1)
	if _, err := s.Discovered(splitsNamed("p2", "p0", "p1"), true, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		req  SplitRequest
		want string
	}{
		{SplitRequest{0, 1, 1}, `subtask 0, attempt 1, request 1: splits p0@"" p2@""`},
		{SplitRequest{0, 1, 1}, `subtask 0, attempt 1, request 1: splits p0@"" p2@""`},
		{SplitRequest{0, 1, 2}, `subtask 0, attempt 1, request 2: no more splits`},
		{SplitRequest{0, 1, 1}, ``}, // overtaken
		{SplitRequest{1, 2, 1}, ``}, // an attempt that is not deployed
		{SplitRequest{1, 1, 1}, `subtask 1, attempt 1, request 1: splits p1@""`},
		{SplitRequest{7, 1, 1}, ``},
	} {
		if got := answersOf(s.Requested(c.req)); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.req, got, c.want)
		}
	}
}

func TestPullWaitsForDiscovery(t *testing.T) {
	s := NewSplits("dir", connectors.Pull, 2)
	s.Rewind([]int{0, 1}, 1)
	if got := s.Requested(SplitRequest{1, 1, 1}); got != nil {
		t.Fatalf("answered with nothing known: %v", got)
	}
	answers, err := s.Discovered(splitsNamed("a", "b"), false, nil)
	if got, want := answersOf(answers), `subtask 1, attempt 1, request 1: splits a@""`; err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
	// The reader fails: its split goes before those that wait.
	s.Rewind([]int{1}, 2)
	if got, want := answersOf(s.Requested(SplitRequest{0, 1, 1})), `subtask 0, attempt 1, request 1: splits a@""`; got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestSplitsErrors(t *testing.T) {
	s := NewSplits("dir", connectors.Pull, 2)
	s.Rewind([]int{0, 1}, 1)
	if _, err := s.Discovered(splitsNamed("a"), false, nil); err != nil {
		t.Fatal(err)
	}
	s.Requested(SplitRequest{0, 1, 1})
	_, twice := s.Discovered(splitsNamed("a"), false, nil)
	_, empty := s.Discovered(splitsNamed(""), false, nil)
	_, both := RestoreSplits("dir", connectors.Pull, 1, SourcePart{}, []ReaderPart{{0, splitsNamed("a"), nil}, {1, splitsNamed("a"), nil}})
	for want, err := range map[string]error{
		`returned split "a", which is empty or was returned before`: twice,
		`returned split "", which is empty or was returned before`:  empty,
		`subtask 1 has read split "a", which it was not given`:      s.Completed([]ReaderPart{{1, splitsNamed("a"), nil}}),
		`subtask 1 has finished split "a", which it was not given`:  s.Completed([]ReaderPart{{1, nil, []string{"a"}}}),
		`has split "a" in two readers, one of them subtask 1`:       both,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	many := make([]connectors.Split, MaxSplits)
	if _, err := s.Discovered(many, false, nil); err == nil || !strings.Contains(err.Error(), "wait to be read") {
		t.Errorf("got %v for too many splits", err)
	}
}
