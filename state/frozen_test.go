package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/flow"
)

// TestFrozenWhileWriting has one goroutine write a frozen table while another changes, deletes and inserts; for -race.
func TestFrozenWhileWriting(t *testing.T) {
	t.Run("int", func(t *testing.T) {
		testFrozenWhileWriting(t, func(i int) int64 { return int64(i) }, func(v *sumCount, i int) { v.Sum = int64(i) }, equalTo[sumCount])
	})
	t.Run("string", func(t *testing.T) {
		testFrozenWhileWriting(t, func(i int) string { return fmt.Sprint("k", i) }, func(v *string, i int) { *v = fmt.Sprint(i) }, equalTo[string])
	})
	t.Run("not shareable", func(t *testing.T) {
		set := func(v *bag, i int) {
			if v.By == nil {
				v.By = map[string]int64{}
			}
			v.By["n"] = int64(i)
		}
		testFrozenWhileWriting(t, func(i int) pair { return pair{fmt.Sprint(i), 0} }, set,
			func(a, b *bag) bool { return a.By["n"] == b.By["n"] })
	})
}

func testFrozenWhileWriting[K comparable, V any](t *testing.T, name func(int) K, set func(*V, int), equal func(a, b *V) bool) {
	const n, groups = 4000, 8
	key, value := mustKey[K](t), mustCodec[V](t)
	all := flow.KeyGroupRange{From: 0, To: groups}
	tab := NewKeyedTable(key, value, all, groups)
	for i := range n {
		k := name(i)
		v, _ := tab.Upsert(key.Hash(&k), &k)
		set(v, i)
	}
	for round := range 4 {
		var s Snapshot
		tab.Snapshot(&s, Section{Operator: "op", Name: "t"})
		var file bytes.Buffer
		written := make(chan error)
		go func() { // ends when the file is written, which is waited for below
			_, _, err := s.WriteFile(&file)
			written <- err
		}()
		keys, hashes, out := make([]K, n), make([]uint64, n), make([]*V, n)
		for i := range keys {
			keys[i] = name(i)
		}
		key.HashAll(keys, hashes)
		for i := n / 2; i < n; i++ { // delete, and bring back with the value of the other round
			tab.Delete(hashes[i], &keys[i])
		}
		tab.UpsertBatch(hashes, keys, out)
		for i, v := range out {
			set(v, i+(round+1)*n)
		}
		if err := <-written; err != nil {
			t.Fatal(err)
		}
		got := NewKeyedTable(key, value, all, groups)
		if err := got.Restore(restoreOf(t, file.Bytes()), "op", "t"); err != nil {
			t.Fatal(err)
		}
		if got.Len() != n {
			t.Fatalf("round %d: %d keys were written", round, got.Len())
		}
		for i := range keys {
			var want V
			set(&want, i+round*n)
			if v := got.Get(hashes[i], &keys[i]); v == nil || !equal(v, &want) {
				t.Fatalf("round %d: key %d was written as %v, want %v", round, i, *v, want)
			}
		}
	}
}

func restoreOf(tb testing.TB, files ...[]byte) *Restore {
	tb.Helper()
	r := &Restore{}
	for i, b := range files {
		f, err := OpenSnapshot(fmt.Sprint("part-", i), bytes.NewReader(b), int64(len(b)))
		if err != nil {
			tb.Fatal(err)
		}
		r.Files = append(r.Files, f)
	}
	return r
}

func fileOf(tb testing.TB, s *Snapshot) []byte {
	tb.Helper()
	var out bytes.Buffer
	if _, _, err := s.WriteFile(&out); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// TestRescale writes with some parallelism and reads with another: every key comes to where its key group is, once.
func TestRescale(t *testing.T) {
	const n, groups = 3000, 16
	key, value := mustKey[string](t), mustCodec[int64](t)
	for _, old := range []int{1, 3, 16} {
		var files [][]byte
		for sub := range old {
			own := flow.Range(sub, old, groups)
			tab := NewKeyedTable(key, value, own, groups)
			for i := range n {
				k := fmt.Sprint("key", i)
				if h := key.Hash(&k); own.Contains(flow.KeyGroup(h, groups)) {
					v, _ := tab.Upsert(h, &k)
					*v = int64(i)
				}
			}
			var s Snapshot
			tab.Snapshot(&s, Section{Operator: "op", Name: "t"})
			files = append(files, fileOf(t, &s))
		}
		r := restoreOf(t, files...)
		for _, now := range []int{1, 2, 5, 16} {
			total := 0
			for sub := range now {
				own := flow.Range(sub, now, groups)
				tab := NewKeyedTable(key, value, own, groups)
				if err := tab.Restore(r, "op", "t"); err != nil {
					t.Fatal(err)
				}
				total += tab.Len()
				tab.Read(0, n, func(hash uint64, k *string, v *int64) bool {
					if *k != fmt.Sprint("key", *v) || !own.Contains(flow.KeyGroup(hash, groups)) {
						t.Fatalf("%d → %d: subtask %d has %q: %d", old, now, sub, *k, *v)
					}
					return true
				})
			}
			if total != n {
				t.Fatalf("%d → %d: %d keys of %d", old, now, total, n)
			}
		}
	}
}

// TestOneTableForAllGroups: what one Table has frozen by key group is read by tables of other ranges.
func TestOneTableForAllGroups(t *testing.T) {
	const n, groups = 2000, 32
	key, value := mustKey[int64](t), mustCodec[int64](t)
	tab := NewTable(key, value)
	for i := range int64(n) {
		v, _ := tab.Upsert(key.Hash(&i), &i)
		*v = i
	}
	var s Snapshot
	f := tab.Freeze(groups)
	sec := Section{Operator: "op", Name: "t", Kind: Keyed, Format: EntriesFormat(key, value)}
	s.Add(func(w *SnapshotWriter) error { return f.Write(w, sec) })
	half := NewKeyedTable(key, value, flow.Range(1, 2, groups), groups)
	if err := half.Restore(restoreOf(t, fileOf(t, &s)), "op", "t"); err != nil {
		t.Fatal(err)
	}
	want := 0
	for i := range int64(n) {
		if h := key.Hash(&i); half.Groups().Contains(flow.KeyGroup(h, groups)) {
			want++
			if v := half.Get(h, &i); v == nil || *v != i {
				t.Fatalf("key %d: %v", i, v)
			}
		}
	}
	if half.Len() != want || want == 0 {
		t.Fatalf("%d keys, want %d", half.Len(), want)
	}
	if f.Groups() != nil {
		t.Fatal("Write did not release the Frozen")
	}
	if _, _, err := s.WriteFile(io.Discard); err == nil || !strings.Contains(err.Error(), "written once") {
		t.Fatalf("written again: %v", err)
	}
}

// TestCopiesEndWithRelease: once what was frozen has been written, writes do not copy any more.
func TestCopiesEndWithRelease(t *testing.T) {
	key := mustKey[int64](t)
	tab := NewTable(key, mustCodec[sumCount](t))
	fillSums(tab, 10_000)
	var k int64
	touch := func() {
		for i := range 10_000 {
			k = int64(i) * 7919
			v, _ := tab.Upsert(key.Hash(&k), &k)
			v.Count++
		}
	}
	f := tab.Freeze(1)
	if n := testing.AllocsPerRun(1, touch); n > 0 { // the run before the count has copied all
		t.Fatalf("blocks are copied twice: %v allocations", n)
	}
	f.Release()
	f.Release()
	tab.Freeze(1).Release()
	if n := testing.AllocsPerRun(1, touch); n > 0 {
		t.Fatalf("%v allocations after the release", n)
	}
	a, b := tab.Freeze(1), tab.Freeze(1) // the later one ends first
	b.Release()
	before := slices.Clone(mustBody(t, a))
	touch()
	if !bytes.Equal(mustBody(t, a), before) {
		t.Fatal("a frozen table has changed after another was released")
	}
}

func mustBody(t *testing.T, f *Frozen) []byte {
	body, err := f.AppendGroup(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestLoadRefusesDamage(t *testing.T) {
	key, value := mustKey[string](t), mustCodec[int64](t)
	tab := NewTable(key, value)
	for _, k := range []string{"a", "bb", "ccc"} {
		v, _ := tab.Upsert(key.Hash(&k), &k)
		*v = int64(len(k))
	}
	body := mustBody(t, tab.Freeze(1))
	for n := range body {
		if err := NewTable(key, value).Load(body[:n]); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
	if err := NewTable(key, value).Load(append(slices.Clone(body), 0)); !errors.Is(err, ErrDamaged) {
		t.Fatalf("a byte too many: %v", err)
	}
	twice := NewTable(key, value)
	if err := twice.Load(body); err != nil {
		t.Fatal(err)
	}
	if err := twice.Load(body); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "before") {
		t.Fatalf("loaded twice: %v", err)
	}
	elsewhere := NewKeyedTable(key, value, flow.KeyGroupRange{From: 0, To: 1}, 1<<10)
	if err := elsewhere.Load(body); !errors.Is(err, ErrDamaged) {
		t.Fatalf("keys of other key groups: %v", err)
	}
}

func TestRestoreRefusesOtherTypes(t *testing.T) {
	all := flow.KeyGroupRange{From: 0, To: 4}
	tab := NewKeyedTable(mustKey[int64](t), mustCodec[int64](t), all, 4)
	k := int64(1)
	tab.Upsert(mustKey[int64](t).Hash(&k), &k)
	var s Snapshot
	tab.Snapshot(&s, Section{Operator: "op", Name: "t"})
	r := restoreOf(t, fileOf(t, &s))
	other := NewKeyedTable(mustKey[int64](t), mustCodec[string](t), all, 4)
	if err := other.Restore(r, "op", "t"); err == nil || !strings.Contains(err.Error(), "type of the state has changed") {
		t.Fatal(err)
	}
}

// FuzzLoad: whatever the bytes, Load ends without a panic.
func FuzzLoad(f *testing.F) {
	key, value := mustKey[pair](f), mustCodec[bag](f)
	tab := NewTable(key, value)
	for i := range int32(3) {
		k := pair{"k", i}
		v, _ := tab.Upsert(key.Hash(&k), &k)
		v.Items = []int64{int64(i)}
	}
	body, err := tab.Freeze(1).AppendGroup(nil, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, b []byte) {
		into := NewTable(key, value)
		if err := into.Load(b); err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		var s Snapshot
		fr := into.Freeze(4)
		s.Add(func(w *SnapshotWriter) error { return fr.Write(w, Section{}) })
		if _, _, err := s.WriteFile(io.Discard); err != nil {
			t.Fatal(err)
		}
	})
}
