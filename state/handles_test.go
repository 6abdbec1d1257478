package state_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/state"
	"github.com/weirstream/weir/timeservice"
)

const handleGroups = 16

// hand is a context with a key at hand.
type hand struct{ scope state.Scope }

func (h *hand) StateScope() *state.Scope { return &h.scope }

// subject is one keyed subtask with a state of each kind.
type subject struct {
	hand
	tb      testing.TB
	b       *state.KeyedBackend[string]
	clock   *timeservice.Manual
	key     string
	value   state.Value[string]
	list    state.List[int64]
	table   state.Map[string, int64]
	sum     state.Reducing[int64]
	average state.Aggregating[int64, [2]int64, float64]
}

type registry struct{ b *state.Backend }

func (r registry) StateBackend() *state.Backend { return r.b }

func newSubject(tb testing.TB, groups flow.KeyGroupRange, r *state.Restore, opts ...state.Option) *subject {
	tb.Helper()
	s := &subject{tb: tb, clock: timeservice.NewManual(1000)}
	s.b = state.NewBackend(keyOf[string](tb), groups, handleGroups, s.clock)
	if err := s.b.Restore(r, "op"); err != nil {
		tb.Fatal(err)
	}
	at := registry{&s.b.Backend}
	s.value = state.NewValue[string](at, "value", opts...)
	s.list = state.NewList[int64](at, "list", opts...)
	s.table = state.NewMap[string, int64](at, "map", opts...)
	s.sum = state.NewReducing(at, "sum", func(into, v *int64) { *into += *v }, opts...)
	s.average = state.NewAggregating(at, "average",
		func() [2]int64 { return [2]int64{} },
		func(acc *[2]int64, v *int64) { acc[0], acc[1] = acc[0]+*v, acc[1]+1 },
		func(acc *[2]int64) float64 { return float64(acc[0]) / float64(acc[1]) }, opts...)
	if err := s.b.Err(); err != nil {
		tb.Fatal(err)
	}
	return s
}

var allGroups = flow.KeyGroupRange{From: 0, To: handleGroups}

func hashOf(k string) uint64 { return flow.HashString(k) }

func (s *subject) at(k string) *subject {
	s.key = k
	s.b.At(&s.scope, hashOf(k), &s.key)
	return s
}

// fill writes all states of a key.
func (s *subject) fill(k string, n int64) {
	s.at(k)
	s.value.Set(s, "v"+k)
	for i := range n {
		s.list.Append(s, i)
		s.table.Put(s, fmt.Sprint("m", n-i), i)
		s.sum.Add(s, i)
		s.average.Add(s, i)
	}
}

// show reads all states of a key.
func (s *subject) show(k string) string {
	s.at(k)
	var entries []string
	for k, v := range s.table.All(s) {
		entries = append(entries, fmt.Sprint(k, "=", v))
	}
	value, known := s.value.Lookup(s)
	sum, summed := s.sum.Get(s)
	average, averaged := s.average.Get(s)
	return fmt.Sprint(value, known, slices.Collect(s.list.All(s)), s.list.Len(s), entries, s.table.Len(s), sum, summed, average, averaged)
}

const (
	filled3 = "vxtrue[0 1 2]3[m3=0 m2=1 m1=2]3 3true 1true"
	nothing = "false[]0[]0 0false 0false"
)

func squeeze(s string) string { return strings.ReplaceAll(s, " ", "") }

func TestHandlesOfEachKind(t *testing.T) {
	s := newSubject(t, allGroups, nil)
	s.fill("x", 3)
	if got := s.show("x"); squeeze(got) != squeeze(filled3) {
		t.Errorf("x has %s", got)
	}
	if got := s.show("y"); squeeze(got) != squeeze(nothing) || s.b.Len() != 1 {
		t.Errorf("y has %s, and there are %d keys", got, s.b.Len())
	}
	s.at("x")
	s.value.Update(s, func(v *string) { *v += "!" })
	s.list.Set(s, []int64{7})
	s.table.Put(s, "m2", 20)
	if !s.table.Delete(s, "m3") || s.table.Delete(s, "m3") {
		t.Error("Delete of m3 does not report what it did")
	}
	s.table.Put(s, "m3", 30)
	if v, ok := s.table.Get(s, "m2"); v != 20 || !ok {
		t.Errorf("m2 is %d, %v", v, ok)
	}
	if got := s.show("x"); squeeze(got) != squeeze("vx!true[7]1[m2=20 m1=2 m3=30]3 3true 1true") {
		t.Errorf("x has %s", got)
	}
	s.value.Clear(s)
	s.list.Clear(s)
	s.table.Clear(s)
	s.sum.Clear(s)
	if s.b.Len() != 1 {
		t.Errorf("%d keys while one state is left of x", s.b.Len())
	}
	s.average.Clear(s)
	if got := s.show("x"); squeeze(got) != squeeze(nothing) || s.b.Len() != 0 {
		t.Errorf("after Clear x has %s, and there are %d keys", got, s.b.Len())
	}
	s.fill("x", 3)
	if got := s.show("x"); squeeze(got) != squeeze(filled3) {
		t.Errorf("filled again, x has %s", got)
	}
}

func TestExpiredStateIsNotSeen(t *testing.T) {
	for _, onRead := range []bool{false, true} {
		s := newSubject(t, allGroups, nil, state.WithTTL(state.TTL{Duration: 100 * time.Millisecond, UpdateOnRead: onRead}))
		s.fill("x", 3)
		s.fill("idle", 3)
		s.clock.Set(1099)
		s.fill("young", 3)
		if got := s.show("x"); squeeze(got) != squeeze(filled3) {
			t.Errorf("one millisecond before its end x has %s", got)
		}
		s.clock.Set(1100)
		want := nothing
		if onRead {
			want = filled3
		}
		if got := s.show("x"); squeeze(got) != squeeze(want) {
			t.Errorf("UpdateOnRead %v: at its end x has %s", onRead, got)
		}
		restored := newSubject(t, allGroups, s.snapshot(), state.WithTTL(state.TTL{Duration: 100 * time.Millisecond}))
		if n := restored.b.Len(); n != 1 && !onRead || n != 2 && onRead {
			t.Errorf("UpdateOnRead %v: %d keys were written", onRead, n)
		}
		for range 100 {
			s.b.Sweep(10)
		}
		if n := s.b.Len(); n != 1 && !onRead || n != 2 && onRead {
			t.Errorf("UpdateOnRead %v: %d keys are left by Sweep", onRead, n)
		}
		s.clock.Set(5000)
		for range 100 {
			s.b.Sweep(10)
		}
		if n := s.b.Len(); n != 0 {
			t.Errorf("%d keys are left when all has expired", n)
		}
	}
}

// snapshot is what s has now, read back from a file.
func (s *subject) snapshot() *state.Restore {
	s.tb.Helper()
	var snap state.Snapshot
	s.b.Snapshot(&snap, "op")
	return readBack(s.tb, &snap)
}

func readBack(tb testing.TB, snap *state.Snapshot) *state.Restore {
	tb.Helper()
	var out bytes.Buffer
	if _, _, err := snap.WriteFile(&out); err != nil {
		tb.Fatal(err)
	}
	f, err := state.OpenSnapshot("file", bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		tb.Fatal(err)
	}
	return &state.Restore{Files: []*state.SnapshotFile{f}}
}

// TestHandlesAreRescaled: two subtasks' state, restored by three, by one, and again.
func TestHandlesAreRescaled(t *testing.T) {
	const keys = 200
	name := func(i int) string { return fmt.Sprint("k", i) }
	var files state.Restore
	want := map[string]string{}
	for i := range 2 {
		groups := flow.Range(i, 2, handleGroups)
		s := newSubject(t, groups, nil)
		for k := range keys {
			if groups.Contains(flow.KeyGroup(hashOf(name(k)), handleGroups)) {
				s.fill(name(k), int64(k%12))
			}
		}
		for k := 0; k < keys; k += 5 {
			if groups.Contains(flow.KeyGroup(hashOf(name(k)), handleGroups)) {
				s.at(name(k)).table.Delete(s, "m1")
			}
		}
		for k := range keys {
			if groups.Contains(flow.KeyGroup(hashOf(name(k)), handleGroups)) {
				want[name(k)] = s.show(name(k))
			}
		}
		var snap state.Snapshot
		s.b.Snapshot(&snap, "op")
		// What is changed after the barrier is not in the snapshot.
		for k := range keys {
			if groups.Contains(flow.KeyGroup(hashOf(name(k)), handleGroups)) {
				s.fill(name(k), 2)
				if k%3 == 0 {
					s.value.Clear(s)
					s.list.Clear(s)
					s.table.Clear(s)
				}
			}
		}
		files.Files = append(files.Files, readBack(t, &snap).Files...)
	}
	if len(want) != keys {
		t.Fatalf("%d keys", len(want))
	}
	for _, parallelism := range []int{3, 1, 2} {
		got := map[string]string{}
		var next state.Restore
		for i := range parallelism {
			groups := flow.Range(i, parallelism, handleGroups)
			s := newSubject(t, groups, &files)
			for k := range keys {
				if groups.Contains(flow.KeyGroup(hashOf(name(k)), handleGroups)) {
					got[name(k)] = s.show(name(k))
				}
			}
			if n := s.b.Undeclared(); len(n) > 0 {
				t.Errorf("undeclared: %v", n)
			}
			next.Files = append(next.Files, s.snapshot().Files...)
		}
		if !maps.Equal(got, want) {
			t.Fatalf("at parallelism %d: %v, want %v", parallelism, got, want)
		}
		files = next
	}
}

func TestStateThatIsNotDeclaredIsNamed(t *testing.T) {
	s := newSubject(t, allGroups, nil)
	s.fill("x", 1)
	b := state.NewBackend(keyOf[string](t), allGroups, handleGroups, s.clock)
	if err := b.Restore(s.snapshot(), "op"); err != nil {
		t.Fatal(err)
	}
	state.NewValue[string](registry{&b.Backend}, "value")
	if got := b.Undeclared(); !slices.Equal(got, []string{"average", "list", "map", "sum"}) {
		t.Errorf("undeclared: %v", got)
	}
	state.NewValue[string](registry{&b.Backend}, "list")
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "type of the state has changed") {
		t.Errorf("a list that is read as a value: %v", err)
	}
}
