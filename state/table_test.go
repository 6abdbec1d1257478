package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
)

// pair is a composite key with a string: kept in the arena, encoded.
type pair struct {
	Name string
	N    int32
}

// wide is a composite key without pointers: kept in the row.
type wide struct {
	A int64
	B int16
	C [3]uint8
}

// bag is a value that is not shareable.
type bag struct {
	Items []int64
	By    map[string]int64
}

// model drives a Table and a Go map side by side.
type model[K comparable, V any] struct {
	t     Table[K, V]
	want  map[K]V
	hash  func(*K) uint64
	key   func(n int) K
	set   func(v *V, n int)
	equal func(a, b *V) bool
}

func (m *model[K, V]) check(tb rapid.TB) {
	if m.t.Len() != len(m.want) {
		tb.Fatalf("Len() = %d, want %d", m.t.Len(), len(m.want))
	}
	seen := 0
	for from, done := 0, false; !done; {
		from, done = m.t.Read(from, 7, func(hash uint64, k *K, v *V) bool {
			w, ok := m.want[*k]
			if !ok || !m.equal(v, &w) || hash != m.hash(k) {
				tb.Fatalf("visited %v: %v, want %v (%v)", *k, *v, w, ok)
			}
			seen++
			return true
		})
	}
	if seen != len(m.want) {
		tb.Fatalf("visited %d of %d", seen, len(m.want))
	}
	for k, w := range m.want {
		if v := m.t.Get(m.hash(&k), &k); v == nil || !m.equal(v, &w) {
			tb.Fatalf("Get(%v) = %v, want %v", k, v, w)
		}
	}
}

func (m *model[K, V]) upsert(tb rapid.TB, n, val int) {
	k := m.key(n)
	v, fresh := m.t.Upsert(m.hash(&k), &k)
	w, ok := m.want[k]
	if fresh == ok || !m.equal(v, &w) {
		tb.Fatalf("Upsert(%v) = %v, %v; want %v, %v", k, *v, fresh, w, !ok)
	}
	m.set(v, val)
	m.set(&w, val)
	m.want[k] = w
}

func (m *model[K, V]) upsertBatch(tb rapid.TB, ns []int, val int) {
	keys, hashes, out := make([]K, len(ns)), make([]uint64, len(ns)), make([]*V, len(ns))
	for i, n := range ns {
		keys[i] = m.key(n)
		hashes[i] = m.hash(&keys[i])
	}
	fresh := m.t.UpsertBatch(hashes, keys, out)
	var wantFresh []int32
	first := map[K]*V{}
	for i, k := range keys {
		w, ok := m.want[k]
		if !ok {
			wantFresh = append(wantFresh, int32(i))
			m.want[k] = w
		}
		if p := first[k]; p != nil && p != out[i] {
			tb.Fatalf("key %v has two values in one batch", k)
		}
		first[k] = out[i]
	}
	if !slices.Equal(fresh, wantFresh) {
		tb.Fatalf("fresh %v, want %v", fresh, wantFresh)
	}
	for i, k := range keys {
		w := m.want[k]
		if !m.equal(out[i], &w) {
			tb.Fatalf("UpsertBatch: %v has %v, want %v", k, *out[i], w)
		}
		m.set(out[i], val+i)
		m.set(&w, val+i)
		m.want[k] = w
	}
}

func (m *model[K, V]) delete(tb rapid.TB, n int) {
	k := m.key(n)
	_, ok := m.want[k]
	if m.t.Delete(m.hash(&k), &k) != ok {
		tb.Fatalf("Delete(%v) = %v", k, !ok)
	}
	delete(m.want, k)
}

func (m *model[K, V]) scanDeleting(mod int) {
	i := 0
	for from, done := 0, false; !done; {
		from, done = m.t.Scan(from, 50, func(hash uint64, k *K, v *V) bool {
			i++
			if i%mod == 0 {
				gone := *k
				m.t.Delete(hash, k)
				delete(m.want, gone)
			} else {
				w := m.want[*k]
				m.set(v, i)
				m.set(&w, i)
				m.want[*k] = w
			}
			return i%11 != 0
		})
	}
}

// run interleaves everything a table can do; frozen tables are kept and checked at the end against what they had.
func (m *model[K, V]) run(t *rapid.T, groups int, load func(f *Frozen) map[K]V) {
	type kept struct {
		f    *Frozen
		want map[K]V
	}
	var frozen []kept
	space := rapid.SampledFrom([]int{3, 40, 700, 9000}).Draw(t, "space")
	key := rapid.IntRange(0, space)
	steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 40).Draw(t, "steps")
	for i, step := range steps {
		switch step {
		case 0, 1:
			m.upsert(t, key.Draw(t, "key"), i)
		case 2, 3, 4:
			at, n := key.Draw(t, "from"), rapid.SampledFrom([]int{1, 5, 300, 1500}).Draw(t, "n")
			stride := rapid.IntRange(0, 3).Draw(t, "stride")
			ns := make([]int, n)
			for j := range ns {
				ns[j] = (at + j*stride) % (space + 1)
			}
			m.upsertBatch(t, ns, i*1000)
		case 5:
			at := key.Draw(t, "from")
			for j := range rapid.SampledFrom([]int{1, 30, 2000}).Draw(t, "n") {
				m.delete(t, at+j)
			}
		case 6:
			m.scanDeleting(rapid.SampledFrom([]int{1, 2, 10}).Draw(t, "mod"))
		case 7, 8:
			if len(frozen) < 3 {
				want := make(map[K]V, len(m.want))
				for k, v := range m.want {
					want[k] = v
				}
				frozen = append(frozen, kept{m.t.Freeze(groups), want})
			}
		case 9:
			if rapid.IntRange(0, 3).Draw(t, "reset") == 0 {
				m.t.Reset()
				clear(m.want)
			}
		}
		m.check(t)
	}
	for _, k := range frozen {
		got := load(k.f)
		if len(got) != len(k.want) {
			t.Fatalf("the frozen table has %d entries, want %d", len(got), len(k.want))
		}
		for key, w := range k.want {
			if v, ok := got[key]; !ok || !m.equal(&v, &w) {
				t.Fatalf("frozen %v is %v (%v), want %v", key, v, ok, w)
			}
		}
		k.f.Release()
	}
	m.check(t)
}

func testModel[K comparable, V any](t *testing.T, key func(n int) K, set func(v *V, n int), equal func(a, b *V) bool) {
	k, c := mustKey[K](t), mustCodec[V](t)
	for _, groups := range []int{1, 16} {
		t.Run(fmt.Sprintf("%d groups", groups), func(t *testing.T) {
			fresh := func() Table[K, V] {
				if groups == 1 {
					return NewTable(k, c)
				}
				return NewKeyedTable(k, c, flow.KeyGroupRange{From: 0, To: groups}, groups)
			}
			rapid.Check(t, func(t *rapid.T) {
				m := &model[K, V]{t: fresh(), want: map[K]V{}, hash: k.Hash, key: key, set: set, equal: equal}
				m.run(t, 16, func(f *Frozen) map[K]V {
					into, got := fresh(), map[K]V{}
					for _, g := range f.Groups() {
						body, err := f.AppendGroup(nil, g)
						if err == nil {
							err = into.Load(body)
						}
						if err != nil {
							t.Fatal(err)
						}
					}
					into.Read(0, 1<<30, func(_ uint64, k *K, v *V) bool {
						got[*k] = *v
						return true
					})
					return got
				})
			})
		})
	}
}

func equalTo[V comparable](a, b *V) bool { return *a == *b }

func TestModelInt(t *testing.T) {
	testModel(t, func(n int) int64 { return int64(n) * 7919 }, func(v *sumCount, n int) { v.Sum += int64(n); v.Count++ }, equalTo[sumCount])
}

func TestModelInlineComposite(t *testing.T) {
	testModel(t, func(n int) wide { return wide{int64(n), int16(n), [3]uint8{1}} }, func(v *int32, n int) { *v += int32(n) }, equalTo[int32])
}

func TestModelString(t *testing.T) {
	testModel(t, func(n int) string { return strings.Repeat("key", n%5) + fmt.Sprint(n) }, func(v *string, n int) { *v = fmt.Sprint(n) }, equalTo[string])
}

func TestModelStringComposite(t *testing.T) {
	testModel(t, func(n int) pair { return pair{fmt.Sprint("k", n/3), int32(n % 3)} }, func(v *[40]int64, n int) { v[n%40]++ }, equalTo[[40]int64])
}

func TestModelNoValue(t *testing.T) {
	testModel(t, func(n int) int32 { return int32(n) }, func(*struct{}, int) {}, equalTo[struct{}])
}

// TestModelNotShareable changes values deeply, in place: what is frozen must not see it.
func TestModelNotShareable(t *testing.T) {
	set := func(v *bag, n int) {
		v.Items = append(slices.Clone(v.Items), int64(n))[max(0, len(v.Items)-5):]
		v.By = map[string]int64{"n": int64(n)}
	}
	equal := func(a, b *bag) bool { return slices.Equal(a.Items, b.Items) && a.By["n"] == b.By["n"] }
	testModel(t, func(n int) int64 { return int64(n) }, set, equal)
}

// TestFrozenDeepValues changes a map within a value in place while the table is frozen.
func TestFrozenDeepValues(t *testing.T) {
	key, c := mustKey[int64](t), mustCodec[bag](t)
	tab := NewTable(key, c)
	for i := range int64(1000) {
		v, _ := tab.Upsert(key.Hash(&i), &i)
		v.By, v.Items = map[string]int64{"x": i}, []int64{i}
	}
	f := tab.Freeze(1)
	for i := range int64(1000) {
		v, _ := tab.Upsert(key.Hash(&i), &i)
		v.By["x"], v.Items[0] = -1, -1
	}
	body, err := f.AppendGroup(nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := NewTable(key, c)
	if err := got.Load(body); err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		if v := got.Get(key.Hash(&i), &i); v == nil || v.By["x"] != i || v.Items[0] != i {
			t.Fatalf("key %d was frozen as %v", i, v)
		}
		if v := tab.Get(key.Hash(&i), &i); v.By["x"] != -1 {
			t.Fatalf("key %d lost its change", i)
		}
	}
}

// TestGrowth goes through splits of the index, with hashes as they are and with hashes that agree in many bits.
func TestGrowth(t *testing.T) {
	for _, mask := range []uint64{^uint64(0), ^uint64(0xfffff000), ^uint64(0xfff)} {
		key, c := mustKey[int64](t), mustCodec[int64](t)
		hash := func(k *int64) uint64 { return flow.HashUint64(uint64(*k)) & mask }
		key.Hash = hash
		tab := NewTable(key, c)
		n := int64(200_000)
		if mask != ^uint64(0) {
			n = 6000
		}
		for i := range n {
			v, fresh := tab.Upsert(hash(&i), &i)
			if !fresh {
				t.Fatalf("key %d was there", i)
			}
			*v = i
		}
		for i := range n {
			if v := tab.Get(hash(&i), &i); v == nil || *v != i {
				t.Fatalf("mask %x: key %d is %v", mask, i, v)
			}
		}
		i := int64(0)
		tab.Read(0, int(n)+1, func(_ uint64, k *int64, v *int64) bool {
			if *k != i {
				t.Fatalf("row %d has key %d: not the order of insertion", i, *k)
			}
			i++
			return true
		})
		if tab.Bytes() > n*200+1<<20 {
			t.Fatalf("mask %x: %d bytes for %d keys", mask, tab.Bytes(), n)
		}
		for i := range n {
			if !tab.Delete(hash(&i), &i) {
				t.Fatalf("mask %x: key %d cannot be deleted", mask, i)
			}
		}
		if tab.Len() != 0 || tab.Bytes() > 1<<18 {
			t.Fatalf("%d keys are left in %d bytes", tab.Len(), tab.Bytes())
		}
	}
}

// TestChurn: keys that come and go do not make a table grow, neither its rows nor the bytes of its keys.
func TestChurn(t *testing.T) {
	key := mustKey[string](t)
	tab := NewTable(key, mustCodec[int64](t))
	name := func(i int) string { return fmt.Sprintf("session-%08d", i) }
	const window = 500
	var early int64
	for i := range 60_000 {
		k := name(i)
		tab.Upsert(key.Hash(&k), &k)
		if i >= window {
			k = name(i - window)
			if !tab.Delete(key.Hash(&k), &k) {
				t.Fatalf("%s is gone", k)
			}
		}
		if i == 10_000 {
			early = tab.Bytes()
		}
	}
	if tab.Len() != window || tab.Bytes() > early+3*deadBytes {
		t.Fatalf("%d keys in %d bytes; there were %d bytes early on", tab.Len(), tab.Bytes(), early)
	}
}

// TestStringsStayValid keeps strings that a scan gave while the table forgets them and reuses its memory.
func TestStringsStayValid(t *testing.T) {
	key := mustKey[pair](t)
	tab := NewTable(key, mustCodec[int64](t))
	var kept []pair
	for round := range 3 {
		for i := range 3000 {
			k := pair{fmt.Sprintf("round %d key %d", round, i), int32(i)}
			tab.Upsert(key.Hash(&k), &k)
		}
		tab.Read(0, 1<<20, func(_ uint64, k *pair, _ *int64) bool {
			kept = append(kept, *k)
			return true
		})
		if round == 0 {
			tab.Reset()
			continue
		}
		for i := range kept {
			tab.Delete(key.Hash(&kept[i]), &kept[i])
		}
	}
	for i, k := range kept {
		if want := fmt.Sprintf("round %d key %d", i/3000, i%3000); k.Name != want {
			t.Fatalf("%q has become %q", want, k.Name)
		}
	}
}

func TestLongKeys(t *testing.T) {
	key := mustKey[string](t)
	tab := NewTable(key, mustCodec[int64](t))
	keys := []string{"", "a", strings.Repeat("x", maxChunk-1), strings.Repeat("y", maxChunk), strings.Repeat("z", 3*maxChunk), "b"}
	for i := range keys {
		v, _ := tab.Upsert(key.Hash(&keys[i]), &keys[i])
		*v = int64(i)
	}
	out, hashes := make([]*int64, len(keys)), make([]uint64, len(keys))
	key.HashAll(keys, hashes)
	if fresh := tab.UpsertBatch(hashes, keys, out); len(fresh) > 0 {
		t.Fatal(fresh)
	}
	for i, v := range out {
		if *v != int64(i) {
			t.Fatalf("key %d has %d", i, *v)
		}
	}
}

func TestResetKeepsMemory(t *testing.T) {
	key := mustKey[int64](t)
	tab := NewTable(key, mustCodec[sumCount](t))
	var k int64
	fill := func() {
		for k = range 5000 {
			v, fresh := tab.Upsert(key.Hash(&k), &k)
			if !fresh || *v != (sumCount{}) {
				t.Fatalf("key %d: %v, %v", k, *v, fresh)
			}
			v.Sum = 1
		}
	}
	fill()
	bytes := tab.Bytes()
	allocs := testing.AllocsPerRun(5, func() {
		tab.Reset()
		fill()
	})
	if allocs > 0 || tab.Bytes() != bytes {
		t.Fatalf("%v allocations, %d bytes after %d", allocs, tab.Bytes(), bytes)
	}
}

func TestNoAllocations(t *testing.T) {
	t.Run("int", func(t *testing.T) { testNoAllocations(t, func(i int) int64 { return int64(i) }) })
	t.Run("string", func(t *testing.T) { testNoAllocations(t, func(i int) string { return fmt.Sprint("key", i) }) })
	t.Run("pair", func(t *testing.T) { testNoAllocations(t, func(i int) pair { return pair{fmt.Sprint("key", i), 1} }) })
}

func testNoAllocations[K comparable](t *testing.T, name func(i int) K) {
	key := mustKey[K](t)
	tab := NewKeyedTable(key, mustCodec[sumCount](t), flow.KeyGroupRange{From: 0, To: 8}, 8)
	keys, hashes, out := make([]K, 1024), make([]uint64, 1024), make([]*sumCount, 1024)
	for i := range keys {
		keys[i] = name(i % 700)
	}
	key.HashAll(keys, hashes)
	tab.UpsertBatch(hashes, keys, out)
	if n := testing.AllocsPerRun(20, func() { tab.UpsertBatch(hashes, keys, out) }); n > 0 {
		t.Errorf("UpsertBatch makes %v allocations", n)
	}
	n := testing.AllocsPerRun(20, func() {
		for i := range 100 {
			v, _ := tab.Upsert(hashes[i], &keys[i])
			v.Count++
			if tab.Get(hashes[i], &keys[i]) == nil {
				t.Fatal("lost")
			}
		}
	})
	if n > 0 {
		t.Errorf("Upsert and Get make %v allocations", n)
	}
}

func TestScanBudget(t *testing.T) {
	key := mustKey[int64](t)
	for _, tab := range []Table[int64, int64]{
		NewTable(key, mustCodec[int64](t)),
		NewKeyedTable(key, mustCodec[int64](t), flow.KeyGroupRange{From: 0, To: 4}, 4),
	} {
		if _, done := tab.Scan(0, 1, nil); !done {
			t.Fatal("an empty table is not done")
		}
		for k := range int64(1000) {
			tab.Upsert(key.Hash(&k), &k)
		}
		var order []int64
		calls := 0
		for from, done := 0, false; !done; calls++ {
			n := 0
			from, done = tab.Scan(from, 10, func(_ uint64, k *int64, _ *int64) bool {
				order = append(order, *k)
				n++
				return true
			})
			if n > 10 {
				t.Fatalf("%d rows for a budget of 10", n)
			}
		}
		slices.Sort(order)
		if len(slices.Compact(order)) != 1000 || calls < 100 || calls > 110 {
			t.Fatalf("%d rows in %d calls", len(order), calls)
		}
	}
}
