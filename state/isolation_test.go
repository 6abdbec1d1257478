package state_test

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/state"
)

func keyOf[K comparable](tb testing.TB) codec.Key[K] {
	tb.Helper()
	k, err := codec.KeyFor[K]()
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

// TestHandlesAreIsolated writes snapshots on other goroutines while the states change: each has what was there when it
// was taken. It is at its best with -race.
func TestHandlesAreIsolated(t *testing.T) {
	const keys, rounds = 300, 4
	name := func(i int) string { return fmt.Sprint("k", i) }
	s := newSubject(t, allGroups, nil)
	var writers sync.WaitGroup
	files := make([]bytes.Buffer, rounds)
	want := make([][keys]string, rounds)
	for round := range rounds {
		for k := range keys {
			if (k+round)%4 == 0 {
				s.at(name(k))
				s.value.Clear(s)
				s.list.Clear(s)
				s.table.Clear(s)
				s.sum.Clear(s)
				s.average.Clear(s)
			} else {
				s.fill(name(k), int64(round+2))
			}
		}
		for k := range keys {
			want[round][k] = s.show(name(k))
		}
		var snap state.Snapshot
		s.b.Snapshot(&snap, "op")
		writers.Go(func() {
			if _, _, err := snap.WriteFile(&files[round]); err != nil {
				t.Error(err)
			}
		})
	}
	for k := range keys {
		s.fill(name(k), 1)
	}
	writers.Wait()
	for round := range rounds {
		b := files[round].Bytes()
		f, err := state.OpenSnapshot("f", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		restored := newSubject(t, allGroups, &state.Restore{Files: []*state.SnapshotFile{f}})
		for k := range keys {
			if got := restored.show(name(k)); got != want[round][k] {
				t.Fatalf("snapshot %d: %s has %s, want %s", round, name(k), got, want[round][k])
			}
		}
	}
}

func TestHandlesDoNotAllocate(t *testing.T) {
	s := newSubject(t, allGroups, nil)
	s.fill("x", 3)
	touch := func() {
		s.at("x")
		s.value.Set(s, s.value.Get(s))
		s.value.Update(s, func(v *string) { *v = "w" })
		s.table.Put(s, "m1", 5)
		s.sum.Add(s, 1)
		s.average.Add(s, 1)
	}
	touch()
	if n := testing.AllocsPerRun(50, touch); n != 0 {
		t.Errorf("touching states of a known key allocates %v times", n)
	}
}
