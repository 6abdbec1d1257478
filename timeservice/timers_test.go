package timeservice_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

type window struct{ Start, End flow.Time }

func compareInts(a, b *int64) int { return cmp.Compare(*a, *b) }

func compareWindows(a, b *window) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
}

func hashInt(k int64) uint64 { return flow.HashUint64(uint64(k)) }

type registration = timeservice.Timer[int64, window]

func timer(t flow.Time, key int64, w window) registration {
	return registration{Time: t, Hash: hashInt(key), Key: key, NS: w}
}

func compareTimers(a, b registration) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Key, b.Key), compareWindows(&a.NS, &b.NS))
}

// model is timers as a sorted list.
type model []registration

func (m *model) register(r registration) bool {
	at, found := slices.BinarySearchFunc(*m, r, compareTimers)
	if !found {
		*m = slices.Insert(*m, at, r)
	}
	return !found
}

func (m *model) delete(r registration) bool {
	at, found := slices.BinarySearchFunc(*m, r, compareTimers)
	if found {
		*m = slices.Delete(*m, at, at+1)
	}
	return found
}

// TestTimersAgainstModel does the same things at random to Timers and to a sorted list, deletions, registrations in the past
// and while firing, and snapshots among them.
func TestTimersAgainstModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		timers, m := timeservice.NewTimers[int64, window](compareInts, compareWindows), model{}
		span := []int64{10, 1000, 100000}[seed%3]
		draw := func() registration {
			return timer(flow.Time(rng.Int64N(span)), rng.Int64N(20), window{0, flow.Time(rng.Int64N(3))})
		}
		for step := range 3000 {
			switch n := rng.IntN(100); {
			case n < 50:
				r := draw()
				if got, want := timers.Register(r.Time, r.Hash, r.Key, r.NS), m.register(r); got != want {
					t.Fatalf("seed %d, step %d: Register(%v) = %v, want %v", seed, step, r, got, want)
				}
			case n < 70:
				r := draw()
				if len(m) > 0 && n < 65 {
					r = m[rng.IntN(len(m))]
				}
				if got, want := timers.Delete(r.Time, r.Hash, r.Key, r.NS), m.delete(r); got != want {
					t.Fatalf("seed %d, step %d: Delete(%v) = %v, want %v", seed, step, r, got, want)
				}
			case n < 98:
				now := flow.Time(rng.Int64N(span) / 10)
				got, ok := timers.PopDue(now)
				if due := len(m) > 0 && m[0].Time <= now; ok != due {
					t.Fatalf("seed %d, step %d: PopDue(%v) says %v, want %v", seed, step, now, ok, due)
				} else if due {
					if got != m[0] {
						t.Fatalf("seed %d, step %d: PopDue(%v) = %v, want %v", seed, step, now, got, m[0])
					}
					m = m[1:]
				}
			case n < 99:
				timers = reload(t, timers)
			default:
				var all []registration
				timers.Freeze().Each(func(r registration) { all = append(all, r) })
				slices.SortFunc(all, compareTimers)
				if !slices.Equal(all, m) {
					t.Fatalf("seed %d, step %d: frozen %v, want %v", seed, step, all, m)
				}
			}
			next, ok := timers.Next()
			if timers.Len() != len(m) || ok != (len(m) > 0) || ok && next != m[0].Time {
				t.Fatalf("seed %d, step %d: Len %d, Next %v %v; the model has %d: %v", seed, step, timers.Len(), next, ok, len(m), m)
			}
		}
	}
}

// reload writes timers in sections and reads them into new ones.
func reload(t *testing.T, old *timeservice.Timers[int64, window]) *timeservice.Timers[int64, window] {
	t.Helper()
	fresh := timeservice.NewTimers[int64, window](compareInts, compareWindows)
	c := timeservice.TimerCodec[int64, window]{Key: intCodec{}, NS: windowCodec{}, Hash: func(k *int64) uint64 { return hashInt(*k) }}
	last := -1
	err := old.Freeze().Sections(16, c, func(group int, body []byte) error {
		if group <= last {
			t.Fatalf("group %d after %d", group, last)
		}
		last = group
		before := fresh.Len()
		if err := fresh.Restore(slices.Clone(body), c); err != nil {
			return err
		}
		if fresh.Len() == before {
			t.Fatalf("section of group %d has no timers", group)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

type intCodec struct{}

func (intCodec) Append(b []byte, v *int64) ([]byte, error) { return binary.AppendVarint(b, *v), nil }
func (intCodec) Read(b []byte, v *int64) ([]byte, error) {
	var n int
	if *v, n = binary.Varint(b); n <= 0 {
		return nil, fmt.Errorf("no integer")
	}
	return b[n:], nil
}
func (intCodec) Fingerprint() string { return "varint" }

type windowCodec struct{}

func (windowCodec) Append(b []byte, w *window) ([]byte, error) {
	return binary.AppendVarint(binary.AppendVarint(b, int64(w.Start)), int64(w.End)), nil
}

func (windowCodec) Read(b []byte, w *window) ([]byte, error) {
	var s, e int64
	b, err := intCodec{}.Read(b, &s)
	if err == nil {
		b, err = intCodec{}.Read(b, &e)
	}
	*w = window{flow.Time(s), flow.Time(e)}
	return b, err
}
func (windowCodec) Fingerprint() string { return "window" }

func TestTimersRegisteredWhileFiring(t *testing.T) {
	timers := timeservice.NewTimers[int64, struct{}](compareInts, nil)
	register := func(at flow.Time, key int64) { timers.Register(at, hashInt(key), key, struct{}{}) }
	for _, k := range []int64{5, 1, 3} {
		register(100, k)
	}
	var fired []string
	for {
		tm, ok := timers.PopDue(100)
		if !ok {
			break
		}
		fired = append(fired, fmt.Sprintf("%d:%d", tm.Time, tm.Key))
		if tm.Time == 100 && tm.Key == 3 {
			register(100, 4) // between what is left
			register(100, 2) // its turn is over, but it is due
			register(50, 9)  // earlier than what is left
			register(101, 0) // not due
			register(50, 8)  //
			timers.Delete(100, hashInt(5), 5, struct{}{})
		}
	}
	want := []string{"100:1", "100:3", "50:8", "50:9", "100:2", "100:4"}
	if !slices.Equal(fired, want) {
		t.Errorf("fired %v, want %v", fired, want)
	}
	if next, ok := timers.Next(); !ok || next != 101 {
		t.Errorf("next is %v %v", next, ok)
	}
}

func TestTimersOfOneHashAreKeptApart(t *testing.T) {
	timers := timeservice.NewTimers[int64, struct{}](compareInts, nil)
	for k := range int64(100) {
		if !timers.Register(7, 42, k, struct{}{}) || timers.Register(7, 42, k, struct{}{}) {
			t.Fatalf("key %d is not registered once", k)
		}
	}
	for k := range int64(100) {
		if tm, ok := timers.PopDue(7); !ok || tm.Key != k {
			t.Fatalf("popped %v %v, want key %d", tm, ok, k)
		}
	}
}

func TestDeletedTimersAreSweptOut(t *testing.T) {
	timers := timeservice.NewTimers[int64, struct{}](compareInts, nil)
	const rounds = 100_000
	for i := range int64(rounds) { // a session time-out that every record puts off
		timers.Register(flow.Time(1e6+i), hashInt(1), 1, struct{}{})
		timers.Delete(flow.Time(1e6+i-1), hashInt(1), 1, struct{}{})
	}
	allocated := testing.AllocsPerRun(1, func() { timers.Freeze() })
	n := 0
	timers.Freeze().Each(func(timeservice.Timer[int64, struct{}]) { n++ })
	if timers.Len() != 1 || n != 1 || allocated > 1 {
		t.Errorf("%d timers, %d frozen", timers.Len(), n)
	}
	if room := timers.Room(); room > 1000 {
		t.Errorf("%d places are in use for one timer", room)
	}
}

func TestDamagedTimers(t *testing.T) {
	c := timeservice.TimerCodec[int64, window]{Key: intCodec{}, NS: windowCodec{}, Hash: func(k *int64) uint64 { return hashInt(*k) }}
	for _, body := range [][]byte{{0x80}, {2}, {2, 2}, {2, 2, 2}, {2, 2, 2, 0xff}} {
		timers := timeservice.NewTimers[int64, window](compareInts, compareWindows)
		if err := timers.Restore(body, c); err == nil {
			t.Errorf("%v was read", body)
		}
	}
}

func BenchmarkTimers(b *testing.B) {
	const keys = 100_000
	for _, spread := range []int64{1, 1000, keys} {
		b.Run(fmt.Sprintf("times=%d", spread), func(b *testing.B) {
			timers := timeservice.NewTimers[int64, struct{}](compareInts, nil)
			rng := rand.New(rand.NewPCG(1, 1))
			at := make([]flow.Time, keys)
			for i := range at {
				at[i] = flow.Time(rng.Int64N(spread))
			}
			order := rng.Perm(keys)
			round := func() {
				for _, i := range order {
					k := int64(i)
					timers.Register(at[k], hashInt(k), k, struct{}{})
				}
				for {
					if _, ok := timers.PopDue(flow.MaxTime); !ok {
						break
					}
				}
			}
			round()
			b.ReportAllocs()
			b.ResetTimer()
			for b.Loop() {
				round()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/keys, "ns/timer")
		})
	}
}
