package timeservice_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/timeservice"
)

// valve is the rules of Merger's comment, word for word and without a thought for speed.
type valve struct {
	in      []valveInput
	current flow.Time
	idle    bool
}

type valveInput struct {
	t             flow.Time
	idle, aligned bool
}

func (v *valve) least() {
	least, some := flow.MaxTime, false
	for _, in := range v.in {
		if in.aligned {
			least, some = min(least, in.t), true
		}
	}
	if some {
		v.current = max(v.current, least)
	}
}

func (v *valve) allIdle() bool {
	for _, in := range v.in {
		if !in.idle {
			return false
		}
	}
	return true
}

func (v *valve) set(i int, t flow.Time, idle bool) {
	in := &v.in[i]
	in.t = max(in.t, t)
	switch {
	case idle && !in.idle:
		in.idle, in.aligned = true, false
		if v.allIdle() {
			v.idle = true
			if in.t == v.current {
				for _, o := range v.in {
					v.current = max(v.current, o.t)
				}
			}
			return
		}
		v.least()
	case !idle:
		in.idle, v.idle = false, false
		in.aligned = in.aligned || in.t >= v.current
		v.least()
	}
}

func TestMergerFollowsTheValve(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 2))
		n := 1 + rng.IntN(6)
		m := timeservice.NewMerger(n, flow.MinTime)
		v := &valve{current: flow.MinTime}
		for range n {
			v.in = append(v.in, valveInput{t: flow.MinTime, aligned: true})
		}
		var told flow.Watermark
		told.Time = flow.MinTime
		for step := range 200 {
			i, at, idle := rng.IntN(n), flow.Time(step/2+rng.IntN(30)), rng.IntN(4) == 0
			if rng.IntN(10) == 0 {
				m.Active(i)
				if v.in[i].idle {
					v.set(i, flow.MinTime, false)
				}
				continue
			}
			got, gotIdle, changed := m.Set(i, at, idle)
			v.set(i, at, idle)
			want := flow.Watermark{Time: v.current, Idle: v.idle}
			if (flow.Watermark{Time: got, Idle: gotIdle}) != want || changed != (want != told) {
				t.Fatalf("seed %d, step %d: Set(%d, %d, %v) = %v %v changed %v, want %v; before %v", seed, step, i, at, idle, got, gotIdle, changed, want, told)
			}
			told = want
		}
	}
}

// TestMerger reads like a log: each line is a call and what the merged watermark is behind it.
func TestMerger(t *testing.T) {
	m := timeservice.NewMerger(3, 10)
	set := func(i int, at flow.Time, idle bool) func() { return func() { m.Set(i, at, idle) } }
	for _, c := range []struct {
		what string
		do   func()
		want string
	}{
		{"below what was restored", set(0, 5, false), "10"},
		{"the others stand at 10", set(0, 100, false), "10"},
		{"", set(1, 50, false), "10"},
		{"now 1 is the least", set(2, 70, false), "50"},
		{"1 goes idle", set(1, 50, true), "70"},
		{"2 goes idle", set(2, 70, true), "100"},
		{"the last one goes idle", set(0, 100, true), "100 idle"},
		{"1 comes back far behind", set(1, 60, false), "100"},
		{"0 comes back and goes on: 1 has no say yet", set(0, 200, false), "200"},
		{"1 catches up", set(1, 200, false), "200"},
		{"so it counts again", set(0, 300, false), "200"},
		{"it ends", func() { m.Remove(1) }, "300"},
		{"the rest goes idle", set(0, 300, true), "300 idle"},
	} {
		c.do()
		w := m.Current()
		got := fmt.Sprint(int64(w.Time))
		if w.Idle {
			got += " idle"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestMergerFlushesTheGreatestWhenAllAreIdle(t *testing.T) {
	m := timeservice.NewMerger(2, flow.MinTime)
	m.Set(0, 100, false)
	m.Set(1, 40, false)
	m.Set(0, 100, true)
	if w := m.Current(); w != (flow.Watermark{Time: 40}) {
		t.Fatalf("one active: %v", w)
	}
	if w, idle, _ := m.Set(1, 40, true); w != 100 || !idle {
		t.Errorf("all idle: %v %v, want the greatest", w, idle)
	}
}

func TestMergerWithNoInputs(t *testing.T) {
	m := timeservice.NewMerger(1, flow.MinTime)
	m.Set(0, 7, false)
	if w, idle, changed := m.Remove(0); w != 7 || idle || changed {
		t.Errorf("%v %v %v, want 7, neither idle nor changed", w, idle, changed)
	}
}

func BenchmarkMerger(b *testing.B) {
	for _, n := range []int{2, 64, 1024} {
		b.Run(fmt.Sprintf("inputs=%d", n), func(b *testing.B) {
			m := timeservice.NewMerger(n, flow.MinTime)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				m.Set(i%n, flow.Time(i), false)
				i++
			}
		})
	}
}
