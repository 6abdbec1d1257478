package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

type opBench struct{ states *OperatorStates }

func (b opBench) OperatorStates() *OperatorStates { return b.states }

func newOpBench(subtask, parallelism int) opBench {
	return opBench{NewOperatorStates(subtask, parallelism)}
}

func (b opBench) file(t *testing.T) []byte {
	var s Snapshot
	if err := b.states.Snapshot(&s, "op"); err != nil {
		t.Fatal(err)
	}
	return fileOf(t, &s)
}

func TestOperatorStates(t *testing.T) {
	const old = 3
	var files [][]byte
	for sub := range old {
		b := newOpBench(sub, old)
		list, union := NewOperatorList[string](b, "list"), NewUnionList[int64](b, "union")
		rules := NewBroadcastMap[string, int64](b, "rules")
		if err := b.states.Err(); err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			list.Append(fmt.Sprint(sub, ".", i))
		}
		union.Set([]int64{int64(sub)})
		rules.Put("z", 26)
		rules.Put("a", 1)
		files = append(files, b.file(t))
	}
	r := restoreOf(t, files...)
	for _, now := range []int{1, 2, 5, 20} {
		var dealt []string
		for sub := range now {
			b := newOpBench(sub, now)
			list := NewOperatorList[string](b, "list")
			if err := b.states.Restore(r, "op"); err != nil {
				t.Fatal(err)
			}
			if got := b.states.Undeclared(); !slices.Equal(got, []string{"rules", "union"}) {
				t.Fatal(got)
			}
			union, rules := NewUnionList[int64](b, "union"), NewBroadcastMap[string, int64](b, "rules")
			if err := b.states.Err(); err != nil || b.states.Undeclared() != nil {
				t.Fatal(err)
			}
			if n := list.Len(); n < 12/now || n > (12+now-1)/now {
				t.Fatalf("subtask %d of %d has %d of 12", sub, now, n)
			}
			dealt = slices.AppendSeq(dealt, list.All())
			if got := slices.Collect(union.All()); !slices.Equal(got, []int64{0, 1, 2}) {
				t.Fatal(got)
			}
			if v, ok := rules.Get("z"); !ok || v != 26 || rules.Len() != 2 {
				t.Fatal(v, ok)
			}
		}
		if len(dealt) != 12 || !slices.IsSorted(dealt) {
			t.Fatalf("dealt out to %d: %v", now, dealt)
		}
	}
}

func TestBroadcastMapOrder(t *testing.T) {
	b := newOpBench(0, 1)
	m := NewBroadcastMap[int64, string](b, "m")
	for _, k := range []int64{5, -1, 3, 9} {
		m.Put(k, fmt.Sprint(k))
	}
	keys := func() (ks []int64) {
		for k := range m.All() {
			ks = append(ks, k)
		}
		return ks
	}
	if got := keys(); !slices.Equal(got, []int64{-1, 3, 5, 9}) {
		t.Fatal(got)
	}
	var seen []int64
	for k := range m.All() {
		seen = append(seen, k)
		m.Delete(5)
		m.Put(4, "new")
	}
	if !slices.Equal(seen, []int64{-1, 3, 9}) || !slices.Equal(keys(), []int64{-1, 3, 4, 9}) {
		t.Fatal(seen, keys())
	}
	if m.Delete(5) || !m.Delete(4) || m.Len() != 3 {
		t.Fatal(m.Len())
	}
	m.Clear()
	if _, ok := m.Get(3); ok || m.Len() != 0 || keys() != nil {
		t.Fatal("cleared keys are there")
	}
}

func TestOperatorDeclarationErrors(t *testing.T) {
	for want, declare := range map[string]func(b opBench){
		"declared twice": func(b opBench) { NewOperatorList[int64](b, "x"); NewUnionList[int64](b, "x") },
		"func()":         func(b opBench) { NewOperatorList[func()](b, "x") },
		"time to live":   func(b opBench) { NewUnionList[int64](b, "x", WithTTL(TTL{Duration: time.Second})) },
		"key":            func(b opBench) { NewBroadcastMap[any, int64](b, "x") },
	} {
		b := newOpBench(0, 1)
		declare(b)
		if err := b.states.Err(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `"x"`) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
