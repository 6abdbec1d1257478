package state

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

const second = 1000 // ms

func TestTTLValue(t *testing.T) {
	for _, onRead := range []bool{false, true} {
		clock := timeservice.NewManual(0)
		b := newBench[int64](t, allGroups(), clock)
		v := NewValue[int64](b, "v", WithTTL(TTL{10 * time.Second, onRead}))
		forever := NewValue[int64](b, "forever")
		v.Set(b.at(1), 5)
		clock.Set(6 * second)
		if v.Get(b.at(1)) != 5 {
			t.Fatal("expired too early")
		}
		clock.Set(10*second - 1)
		if v.Get(b.at(1)) != 5 { // with onRead, this prolongs it again
			t.Fatal("expired too early")
		}
		clock.Set(15 * second)
		if _, ok := v.Lookup(b.at(1)); ok != onRead {
			t.Fatalf("UpdateOnRead %v: there is %v", onRead, ok)
		}
		clock.Set(40 * second)
		v.Update(b.at(1), func(x *int64) {
			if *x != 0 {
				t.Fatal("an expired value was updated")
			}
			*x = 9
		})
		clock.Set(49 * second)
		if v.Get(b.at(1)) != 9 {
			t.Fatal("a write has not prolonged it")
		}
		clock.Set(60 * second)
		if v.Get(b.at(1)); b.Len() != 0 {
			t.Fatal("an expired value that was come across keeps its key")
		}
		forever.Set(b, 1)
		clock.Set(1e9)
		if forever.Get(b.at(1)) != 1 {
			t.Fatal("a value without a time to live has expired")
		}
	}
}

func TestTTLElements(t *testing.T) {
	clock := timeservice.NewManual(0)
	b := newBench[int64](t, allGroups(), clock)
	ttl := WithTTL(TTL{Duration: 10 * time.Second})
	l, m := NewList[string](b, "l", ttl), NewMap[string, int64](b, "m", ttl)
	for i := range int64(5) {
		clock.Set(timeOf(i))
		l.Append(b.at(1), fmt.Sprint(i))
		m.Put(b, fmt.Sprint(i), i)
	}
	clock.Set(timeOf(5))
	m.Put(b.at(1), "0", 100)
	clock.Set(timeOf(12))
	b.at(1)
	if got := slices.Collect(l.All(b)); !slices.Equal(got, []string{"3", "4"}) || l.Len(b) != 2 {
		t.Fatal(got)
	}
	var got []string
	for k := range m.All(b) {
		got = append(got, k)
	}
	if !slices.Equal(got, []string{"0", "3", "4"}) || m.Len(b) != 3 {
		t.Fatal(got, m.Len(b))
	}
	if _, ok := m.Get(b, "1"); ok || m.Delete(b, "2") {
		t.Fatal("an expired entry was there")
	}
	clock.Set(timeOf(30))
	b.at(1)
	if l.Len(b) != 0 || m.Len(b) != 0 {
		t.Fatal("expired elements are there")
	}
	for k := range 5 {
		m.Get(b, fmt.Sprint(k))
	}
	if b.Len() != 0 {
		t.Fatal("expired elements keep their key")
	}
}

func timeOf(s int64) flow.Time { return flow.Time(s * second) }

func TestTTLUpdateOnReadOfElements(t *testing.T) {
	clock := timeservice.NewManual(0)
	b := newBench[int64](t, allGroups(), clock)
	ttl := WithTTL(TTL{10 * time.Second, true})
	l, m := NewList[int64](b, "l", ttl), NewMap[int64, int64](b, "m", ttl)
	l.Append(b.at(1), 1, 2)
	m.Put(b, 1, 1)
	m.Put(b, 2, 2)
	m.Put(b, 3, 3)
	clock.Set(timeOf(8))
	b.at(1)
	for range l.All(b) {
	}
	m.Get(b, 1)
	for k := range m.All(b) {
		if k == 2 {
			break
		}
	}
	clock.Set(timeOf(15))
	b.at(1)
	if l.Len(b) != 2 || m.Len(b) != 2 {
		t.Fatal(l.Len(b), m.Len(b))
	}
}

// TestSweep: what nobody asks for is freed, a bounded number at a time.
func TestSweep(t *testing.T) {
	clock := timeservice.NewManual(0)
	b := newBench[int64](t, allGroups(), clock)
	ttl := WithTTL(TTL{Duration: 10 * time.Second})
	v, l, m := NewValue[string](b, "v", ttl), NewList[int64](b, "l", ttl), NewMap[string, int64](b, "m", ttl)
	keep := NewValue[int64](b, "keep")
	for k := range int64(1000) {
		v.Set(b.at(k), "x")
		l.Append(b, 1, 2, 3)
		m.Put(b, "a", 1)
		m.Put(b, "b", 1)
	}
	keep.Set(b.at(1), 1)
	b.Sweep(1 << 20)
	if b.Len() != 1000 {
		t.Fatal("what lives was swept")
	}
	clock.Set(timeOf(20))
	b.Sweep(30)
	if b.Len() < 900 {
		t.Fatalf("%d keys are left after a sweep of 30", b.Len())
	}
	for range 400 {
		b.Sweep(30)
	}
	if b.Len() != 1 || keep.Get(b.at(1)) != 1 {
		t.Fatalf("%d keys are left", b.Len())
	}
	for k := range int64(1000) { // rows and elements are used again
		v.Set(b.at(k), "y")
		l.Append(b, 4)
		m.Put(b, "c", 1)
		if got := slices.Collect(l.All(b)); !slices.Equal(got, []int64{4}) || m.Len(b) != 1 {
			t.Fatal(got)
		}
	}
}

// TestTTLSnapshot: what has expired is neither written nor read, and a time to live may come and go between jobs.
func TestTTLSnapshot(t *testing.T) {
	clock := timeservice.NewManual(0)
	b := newBench[int64](t, allGroups(), clock)
	ttl := WithTTL(TTL{Duration: 10 * time.Second})
	declare := func(b *bench[int64], opts ...Option) (Value[int64], List[int64], Map[int64, int64]) {
		v, l, m := NewValue[int64](b, "v", opts...), NewList[int64](b, "l", opts...), NewMap[int64, int64](b, "m", opts...)
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		return v, l, m
	}
	v, l, m := declare(b, ttl)
	for k := range int64(20) {
		clock.Set(timeOf(k))
		v.Set(b.at(k), k)
		l.Append(b.at(0), k)
		l.Append(b.at(k), k)
		m.Put(b.at(0), k, k)
		m.Put(b.at(k), k, k)
	}
	file := b.file(t) // at 19 s: what was written at 9 s and before has expired

	show := func(at int64, opts ...Option) string {
		c := newBench[int64](t, allGroups(), timeservice.NewManual(timeOf(at)))
		v, l, m := declare(c, opts...)
		if err := c.Restore(restoreOf(t, file), "op"); err != nil {
			t.Fatal(err)
		}
		first := int64(-1)
		for k := int64(19); k >= 0; k-- {
			if _, ok := v.Lookup(c.at(k)); ok {
				first = k
			}
		}
		c.at(0)
		return fmt.Sprintln(first, c.Len(), slices.Collect(l.All(c)), m.Len(c))
	}
	if got := show(19, ttl); got != "10 11 [10 11 12 13 14 15 16 17 18 19] 10\n" {
		t.Fatal(got)
	}
	if got := show(25, ttl); got != "16 5 [16 17 18 19] 4\n" {
		t.Fatal(got)
	}
	if got := show(100, ttl); got != "-1 0 [] 0\n" {
		t.Fatal(got)
	}
	if got := show(100); got != "10 11 [10 11 12 13 14 15 16 17 18 19] 10\n" { // not any more
		t.Fatal(got)
	}
	plain := newBench[int64](t, allGroups(), timeservice.NewManual(0))
	v, _, _ = declare(plain)
	v.Set(plain.at(3), 3)
	file = plain.file(t)
	if got := show(500, ttl); !strings.HasPrefix(got, "3 1") { // from now on
		t.Fatal(got)
	}
}

// TestTTLClockStepsBack: what was written after a clock has stepped back lives as long as what stands before it.
func TestTTLClockStepsBack(t *testing.T) {
	clock := timeservice.NewManual(timeOf(10))
	b := newBench[int64](t, allGroups(), clock)
	ttl := WithTTL(TTL{Duration: 10 * time.Second})
	l := NewList[string](b, "l", ttl)
	l.Append(b.at(1), "a")
	clock.Set(timeOf(5))
	l.Append(b.at(1), "b")
	clock.Set(timeOf(16))
	file := b.file(t)
	c := newBench[int64](t, allGroups(), clock)
	if err := c.Restore(restoreOf(t, file), "op"); err != nil {
		t.Fatal(err)
	}
	got := slices.Collect(NewList[string](c, "l", ttl).All(c.at(1)))
	if !slices.Equal(got, []string{"a", "b"}) {
		t.Fatal(got)
	}
}
