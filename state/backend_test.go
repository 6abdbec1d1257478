package state

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

const testGroups = 16

// bench is a keyed operator's surroundings: the registry and the context of user functions.
type bench[K comparable] struct {
	*KeyedBackend[K]
	clock *timeservice.Manual
	sc    Scope
	key   K
	hash  func(*K) uint64
}

func newBench[K comparable](tb testing.TB, groups flow.KeyGroupRange, clock *timeservice.Manual) *bench[K] {
	key := mustKey[K](tb)
	return &bench[K]{KeyedBackend: NewBackend(key, groups, testGroups, clock), clock: clock, hash: key.Hash}
}

func allGroups() flow.KeyGroupRange { return flow.KeyGroupRange{From: 0, To: testGroups} }

func (b *bench[K]) StateBackend() *Backend { return &b.Backend }
func (b *bench[K]) StateScope() *Scope     { return &b.sc }

// at puts k at hand.
func (b *bench[K]) at(k K) *bench[K] {
	b.key = k
	b.At(&b.sc, b.hash(&b.key), &b.key)
	return b
}

func (b *bench[K]) file(tb testing.TB) []byte {
	var s Snapshot
	b.Snapshot(&s, "op")
	return fileOf(tb, &s)
}

func TestValue(t *testing.T) {
	b := newBench[string](t, allGroups(), timeservice.NewManual(0))
	count, name := NewValue[int64](b, "count"), NewValue[string](b, "name")
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	a := b.at("a")
	if count.Get(a) != 0 || b.Len() != 0 {
		t.Fatal("reading has made a key")
	}
	count.Set(a, 7)
	name.Set(a, "x")
	count.Update(b.at("b"), func(v *int64) { *v += 2 })
	if got := count.Get(b.at("a")); got != 7 {
		t.Fatal(got)
	}
	if v, ok := name.Lookup(b.at("b")); ok || v != "" {
		t.Fatal(v)
	}
	count.Set(b.at("zero"), 0)
	if _, ok := count.Lookup(b.at("zero")); !ok || b.Len() != 3 {
		t.Fatal("a zero value is a value", b.Len())
	}
	for _, k := range []string{"a", "b", "zero"} {
		count.Clear(b.at(k))
		count.Clear(b)
		name.Clear(b)
		if count.Get(b) != 0 || name.Get(b) != "" {
			t.Fatal("cleared state is there")
		}
	}
	if b.Len() != 0 {
		t.Fatalf("%d keys are left without any state", b.Len())
	}
	count.Set(b, 5) // the same record goes on after a clear
	if count.Get(b) != 5 || b.Len() != 1 {
		t.Fatal("a state cannot be set after it was cleared")
	}
}

func TestReducingAndAggregating(t *testing.T) {
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	top := NewReducing(b, "top", func(into, v *int64) { *into = max(*into, *v) })
	mean := NewAggregating(b, "mean", func() sumCount { return sumCount{} },
		func(a *sumCount, v *int64) { a.Sum += *v; a.Count++ },
		func(a *sumCount) float64 { return float64(a.Sum) / float64(a.Count) })
	if _, ok := top.Get(b.at(1)); ok {
		t.Fatal("something was there")
	}
	if _, ok := mean.Get(b); ok {
		t.Fatal("something was there")
	}
	for _, v := range []int64{-3, -1, -2} {
		top.Add(b, v)
		mean.Add(b, v)
	}
	if v, ok := top.Get(b); !ok || v != -1 {
		t.Fatal(v, ok)
	}
	if v, ok := mean.Get(b); !ok || v != -2 {
		t.Fatal(v, ok)
	}
	top.Clear(b)
	mean.Clear(b)
	if _, ok := top.Get(b); ok || b.Len() != 0 {
		t.Fatal("cleared state is there")
	}
}

func TestList(t *testing.T) {
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	l := NewList[string](b, "l")
	l.Append(b.at(1), "a", "b")
	l.Append(b.at(2), "x")
	l.Append(b.at(1), "c")
	if got := slices.Collect(l.All(b)); !slices.Equal(got, []string{"a", "b", "c"}) || l.Len(b) != 3 {
		t.Fatal(got)
	}
	n := 0
	for v := range l.All(b) { // appending while looking is safe, and not seen
		l.Append(b, v+v)
		n++
	}
	if n != 3 || l.Len(b) != 6 {
		t.Fatal(n, l.Len(b))
	}
	for range l.All(b) {
		l.Set(b, []string{"only"})
	}
	if got := slices.Collect(l.All(b)); !slices.Equal(got, []string{"only"}) {
		t.Fatal(got)
	}
	if got := slices.Collect(l.All(b.at(2))); !slices.Equal(got, []string{"x"}) {
		t.Fatal(got)
	}
	l.Set(b, nil)
	l.Clear(b.at(1))
	l.Clear(b)
	if l.Len(b) != 0 || b.Len() != 0 || len(slices.Collect(l.All(b))) != 0 {
		t.Fatal("an empty list is there")
	}
}

func TestMapDeleteWhileLooking(t *testing.T) {
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	m := NewMap[string, int](b, "m")
	for i := range 10 {
		m.Put(b.at(1), fmt.Sprint("k", i), i)
		m.Put(b.at(2), fmt.Sprint("k", i), -i)
	}
	b.at(1)
	var seen []int
	for k, v := range m.All(b) {
		seen = append(seen, v)
		m.Delete(b, k)
	}
	if len(seen) != 10 || !slices.IsSorted(seen) || m.Len(b) != 0 || b.Len() != 1 {
		t.Fatal(seen, m.Len(b), b.Len())
	}
	for range m.All(b.at(2)) {
		m.Clear(b)
	}
	if b.Len() != 0 {
		t.Fatal(b.Len())
	}
}

// userModel is states of all kinds beside what they should hold.
type userModel struct {
	b     *bench[string]
	value Value[bag]
	list  List[pair]
	plain Map[int64, int64]
	named Map[string, bag]
	want  map[string]*userState
}

type userState struct {
	value *int64
	list  []pair
	plain ordered[int64]
	named ordered[string]
}

// ordered is a map in the order of insertion.
type ordered[K comparable] struct {
	keys   []K
	values map[K]int64
}

func (o *ordered[K]) put(k K, v int64) {
	if o.values == nil {
		o.values = map[K]int64{}
	}
	if _, ok := o.values[k]; !ok {
		o.keys = append(o.keys, k)
	}
	o.values[k] = v
}

func (o *ordered[K]) delete(k K) bool {
	_, ok := o.values[k]
	delete(o.values, k)
	o.keys = slices.DeleteFunc(o.keys, func(x K) bool { return x == k })
	return ok
}

func newUserModel(tb testing.TB, groups flow.KeyGroupRange) *userModel {
	b := newBench[string](tb, groups, timeservice.NewManual(0))
	m := &userModel{b: b, want: map[string]*userState{}}
	m.declare()
	return m
}

func (m *userModel) declare() {
	m.value, m.list = NewValue[bag](m.b, "value"), NewList[pair](m.b, "list")
	m.plain, m.named = NewMap[int64, int64](m.b, "plain"), NewMap[string, bag](m.b, "named")
}

func (m *userModel) step(t *rapid.T) {
	k := fmt.Sprint("key", rapid.IntRange(0, 20).Draw(t, "key"))
	n := int64(rapid.IntRange(0, 30).Draw(t, "n"))
	b, w := m.b.at(k), m.want[k]
	if w == nil {
		w = &userState{}
		m.want[k] = w
	}
	switch rapid.IntRange(0, 9).Draw(t, "op") {
	case 0:
		m.value.Set(b, bag{Items: []int64{n}})
		w.value = &n
	case 1:
		m.value.Update(b, func(v *bag) {
			if v.Items == nil {
				v.Items = []int64{0}
			}
			v.Items[0] = n // in place: only Update may
		})
		w.value = &n
	case 2, 3:
		m.list.Append(b, pair{"e", int32(n)})
		w.list = append(w.list, pair{"e", int32(n)})
	case 4:
		m.plain.Put(b, n, n*2)
		w.plain.put(n, n*2)
	case 5:
		if m.plain.Delete(b, n) != w.plain.delete(n) {
			t.Fatal("Delete")
		}
	case 6:
		m.named.Put(b, fmt.Sprint(n), bag{Items: []int64{n}})
		w.named.put(fmt.Sprint(n), n)
	case 7:
		if m.named.Delete(b, fmt.Sprint(n)) != w.named.delete(fmt.Sprint(n)) {
			t.Fatal("Delete")
		}
	case 8:
		m.plain.Clear(b)
		m.list.Clear(b)
		w.plain, w.list = ordered[int64]{}, nil
	case 9:
		m.value.Clear(b)
		m.named.Clear(b)
		w.value, w.named = nil, ordered[string]{}
	}
}

// show prints the state of a key as it is.
func (m *userModel) show(k string) string {
	b := m.b.at(k)
	var s strings.Builder
	if v, ok := m.value.Lookup(b); ok {
		fmt.Fprint(&s, "value ", v.Items[0])
	}
	for e := range m.list.All(b) {
		fmt.Fprint(&s, " ", e)
	}
	for k, v := range m.plain.All(b) {
		got, _ := m.plain.Get(b, k)
		fmt.Fprint(&s, " ", k, "=", v, got)
	}
	for k, v := range m.named.All(b) {
		got, _ := m.named.Get(b, k)
		fmt.Fprint(&s, " ", k, "=", v.Items[0], got.Items[0])
	}
	fmt.Fprint(&s, " ", m.list.Len(b), m.plain.Len(b), m.named.Len(b))
	return s.String()
}

func (w *userState) show() string {
	var s strings.Builder
	if w.value != nil {
		fmt.Fprint(&s, "value ", *w.value)
	}
	for _, e := range w.list {
		fmt.Fprint(&s, " ", e)
	}
	for _, k := range w.plain.keys {
		fmt.Fprint(&s, " ", k, "=", w.plain.values[k], w.plain.values[k])
	}
	for _, k := range w.named.keys {
		fmt.Fprint(&s, " ", k, "=", w.named.values[k], w.named.values[k])
	}
	fmt.Fprint(&s, " ", len(w.list), len(w.plain.keys), len(w.named.keys))
	return s.String()
}

func (w *userState) empty() bool {
	return w.value == nil && len(w.list) == 0 && len(w.plain.keys) == 0 && len(w.named.keys) == 0
}

func (m *userModel) all() map[string]string {
	got := map[string]string{}
	for k := range m.want {
		got[k] = m.show(k)
	}
	return got
}

// TestUserStates interleaves all kinds of state with snapshots that are written only at the end, and reads those into
// subtasks of another parallelism.
func TestUserStates(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newUserModel(discard{}, allGroups())
		type kept struct {
			s    Snapshot
			want map[string]string
		}
		var snapshots []*kept
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			if rapid.IntRange(0, 30).Draw(t, "snapshot") == 0 && len(snapshots) < 3 {
				k := &kept{want: m.all()}
				m.b.Snapshot(&k.s, "op")
				snapshots = append(snapshots, k)
			}
			m.step(t)
		}
		live := 0
		for k, w := range m.want {
			if got := m.show(k); got != w.show() {
				t.Fatalf("%s has %q, want %q", k, got, w.show())
			}
			if !w.empty() {
				live++
			}
		}
		if m.b.Len() != live {
			t.Fatalf("%d keys have rows, %d have state", m.b.Len(), live)
		}
		for _, snap := range snapshots {
			r := restoreOf(discard{}, fileOf(discard{}, &snap.s))
			for sub := range 3 {
				own := flow.Range(sub, 3, testGroups)
				into := newUserModel(discard{}, own)
				if err := into.b.Restore(r, "op"); err != nil {
					t.Fatal(err)
				}
				for k, want := range snap.want {
					if own.Contains(flow.KeyGroup(flow.HashString(k), testGroups)) && into.show(k) != want {
						t.Fatalf("restored %s as %q, want %q", k, into.show(k), want)
					}
				}
			}
		}
	})
}

// discard is a testing.TB for what cannot fail in a rapid check but by panicking.
type discard struct{ testing.TB }

func (discard) Helper()           {}
func (discard) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestSnapshotWhileWriting(t *testing.T) { // for -race
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	value, list, byName := NewValue[bag](b, "value"), NewList[int64](b, "list"), NewMap[string, int64](b, "map")
	const n = 2000
	change := func(round int64) {
		for k := range int64(n) {
			b.at(k)
			value.Update(b, func(v *bag) {
				if v.By == nil {
					v.By = map[string]int64{}
				}
				v.By["round"] = round
			})
			list.Append(b, round)
			byName.Put(b, fmt.Sprint("r", round), round)
			if k%3 == 0 && round > 0 {
				list.Set(b, []int64{0})
				byName.Clear(b)
				byName.Put(b, "r0", 0)
			}
		}
	}
	change(0)
	var s Snapshot
	b.Snapshot(&s, "op")
	file := make(chan []byte)
	go func() { file <- fileOf(t, &s) }() // waited for below
	for round := range int64(3) {
		change(round + 1)
	}
	r := restoreOf(t, <-file)
	got := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	if err := got.Restore(r, "op"); err != nil {
		t.Fatal(err)
	}
	value, list, byName = NewValue[bag](got, "value"), NewList[int64](got, "list"), NewMap[string, int64](got, "map")
	if err := got.Err(); err != nil || got.Len() != n {
		t.Fatal(err, got.Len())
	}
	for k := range int64(n) {
		got.at(k)
		v := value.Get(got)
		l := slices.Collect(list.All(got))
		if v.By["round"] != 0 || len(v.By) != 1 || !slices.Equal(l, []int64{0}) || byName.Len(got) != 1 {
			t.Fatalf("key %d was written as %v %v", k, v, l)
		}
	}
}

func TestDeclarationErrors(t *testing.T) {
	for name, declare := range map[string]func(b *bench[int64]){
		"declared twice": func(b *bench[int64]) { NewValue[int64](b, "x"); NewList[int64](b, "x") },
		"chan int":       func(b *bench[int64]) { NewValue[chan int](b, "x") },
		"which is not for values of type string": func(b *bench[int64]) {
			NewValue[string](b, "x", WithCodec(mustCodec[int64](t)))
		},
		"time to live": func(b *bench[int64]) { NewMap[int64, int64](b, "x", WithTTL(TTL{})) },
		"key":          func(b *bench[int64]) { NewMap[any, int64](b, "x") },
	} {
		b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
		declare(b)
		if err := b.Err(); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRestoreBeforeDeclaring(t *testing.T) {
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	NewValue[int64](b, "count").Set(b.at(1), 5)
	NewList[string](b, "names").Append(b, "x")
	r := restoreOf(t, b.file(t))

	c := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	if err := c.Restore(r, "op"); err != nil {
		t.Fatal(err)
	}
	if got := c.Undeclared(); !slices.Equal(got, []string{"count", "names"}) {
		t.Fatal(got)
	}
	if got := NewValue[int64](c, "count").Get(c.at(1)); got != 5 {
		t.Fatal(got)
	}
	if got := c.Undeclared(); !slices.Equal(got, []string{"names"}) {
		t.Fatal(got)
	}
	NewList[int64](c, "names")
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "type of the state has changed") {
		t.Fatal(err)
	}
	other := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	if err := other.Restore(r, "another operator"); err != nil || other.Undeclared() != nil {
		t.Fatal(err, other.Undeclared())
	}
	NewValue[string](other, "count")
	if err := other.Restore(r, "op"); err == nil {
		t.Fatal("another type was restored into a declared state")
	}
}

func TestSnapshotIsWrittenOnce(t *testing.T) {
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	NewValue[int64](b, "v").Set(b.at(1), 1)
	var s Snapshot
	b.Snapshot(&s, "op")
	fileOf(t, &s)
	if _, _, err := s.WriteFile(io.Discard); err == nil || !strings.Contains(err.Error(), "written once") {
		t.Fatal(err)
	}
	if b.held.Load() != 0 {
		t.Fatal("the states are still held")
	}
}

// FuzzBackendLoad: whatever a body holds, loading it ends without a panic, and what came out of it can be written.
func FuzzBackendLoad(f *testing.F) {
	one := flow.KeyGroupRange{From: 0, To: 1}
	make := func() (*KeyedBackend[string], *bench[string]) {
		key := mustKey[string](f)
		b := &bench[string]{KeyedBackend: NewBackend(key, one, 1, timeservice.NewManual(0)), hash: key.Hash}
		return b.KeyedBackend, b
	}
	declare := func(b *bench[string]) (Value[int64], List[string], Map[string, bag]) {
		ttl := WithTTL(TTL{Duration: 1e9})
		return NewValue[int64](b, "v", ttl), NewList[string](b, "l"), NewMap[string, bag](b, "m", ttl)
	}
	_, b := make()
	v, l, m := declare(b)
	for _, k := range []string{"a", "b"} {
		v.Set(b.at(k), 1)
		l.Append(b, "x", "y")
		m.Put(b, "k", bag{Items: []int64{1}})
		m.Put(b, k, bag{})
	}
	file := restoreOf(f, b.file(f)).Files[0]
	for i, st := range b.states {
		err := file.Each("op", sectionPrefix+st.name(), nil, func(_ Section, body []byte) error {
			f.Add(i, body)
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		kb, b := make()
		declare(b)
		err := kb.loadBody(kb.states[uint(i)%uint(len(kb.states))], 0, body, 0)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatal(err)
		}
		b.file(t)
		kb.Sweep(1000)
	})
}

func TestForeignScope(t *testing.T) {
	a := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	b := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	v := NewValue[int64](a, "v")
	defer func() {
		if recover() == nil {
			t.Fatal("a state was read through another operator's context")
		}
	}()
	v.Get(b.at(1))
}

func TestHandlesDoNotAllocate(t *testing.T) {
	b := newBench[string](t, allGroups(), timeservice.NewManual(0))
	value := NewValue[int64](b, "v", WithTTL(TTL{Duration: 1e9}))
	m := NewMap[string, int64](b, "m")
	top := NewReducing(b, "r", func(into, v *int64) { *into += *v })
	mean := NewAggregating(b, "a", func() sumCount { return sumCount{} },
		func(a *sumCount, v *int64) { a.Sum += *v }, func(a *sumCount) int64 { return a.Sum })
	keys := []string{"a", "b", "c"}
	once := func() {
		for _, k := range keys {
			s := b.at(k)
			value.Set(s, value.Get(s)+1)
			m.Put(s, k, 1)
			m.Get(s, k)
			top.Add(s, 1)
			mean.Add(s, 2)
			mean.Get(s)
		}
	}
	once()
	if n := testing.AllocsPerRun(50, once); n > 0 {
		t.Fatalf("%v allocations", n)
	}
}

// BenchmarkValue is Get and Set of a Value[int64] of a random one of a million keys, and of a thousand.
func BenchmarkValue(b *testing.B) {
	for _, distinct := range []int{1e3, 1e6} {
		b.Run(fmt.Sprint(distinct), func(b *testing.B) {
			s := newBench[int64](b, allGroups(), timeservice.NewManual(0))
			count := NewValue[int64](s, "count")
			keys, _ := benchKeys(1<<16, distinct)
			for _, k := range keys {
				count.Set(s.at(k), 1)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				c := s.at(keys[i&(1<<16-1)])
				count.Set(c, count.Get(c)+1)
			}
		})
	}
}
