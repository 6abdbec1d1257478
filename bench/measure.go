package bench

import (
	"fmt"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// sample is what one run took.
type sample struct {
	wall, cpu time.Duration
	mallocs   uint64
	result    digest
}

// side runs one side of a comparison. It returns a digest of the results.
type side func() (digest, error)

// measured runs s once, on a heap that was just collected.
func measured(s side) (sample, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, begun := cpuTime(), time.Now()
	d, err := s()
	out := sample{wall: time.Since(begun), cpu: cpuTime() - cpu, result: d}
	runtime.ReadMemStats(&after)
	out.mallocs = after.Mallocs - before.Mallocs
	return out, err
}

// compare runs a and b in turn, rounds times, and returns the median of each. The digests must be equal if same is set.
func compare(rounds int, same bool, a, b side) (ma, mb sample, err error) {
	var as, bs []sample
	for range rounds {
		sa, err := measured(a)
		if err != nil {
			return ma, mb, err
		}
		sb, err := measured(b)
		if err != nil {
			return ma, mb, err
		}
		if same && sa.result != sb.result {
			return ma, mb, fmt.Errorf("the two sides have different results: %+v and %+v", sa.result, sb.result)
		}
		as, bs = append(as, sa), append(bs, sb)
	}
	return median(as), median(bs), nil
}

// median is the median of each number by itself.
func median(all []sample) sample {
	middle := func(of func(sample) int64) int64 {
		v := make([]int64, len(all))
		for i, s := range all {
			v[i] = of(s)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return sample{
		wall:    time.Duration(middle(func(s sample) int64 { return int64(s.wall) })),
		cpu:     time.Duration(middle(func(s sample) int64 { return int64(s.cpu) })),
		mallocs: uint64(middle(func(s sample) int64 { return int64(s.mallocs) })),
		result:  all[0].result,
	}
}

// collectionCPU is the processor time of one whole collection of the heap as it is now.
func collectionCPU() time.Duration {
	read := func() float64 {
		s := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
		metrics.Read(s)
		return s[0].Value.Float64()
	}
	runtime.GC() // ends a collection that is under way, and sweeps
	before := read()
	runtime.GC()
	return time.Duration((read() - before) * float64(time.Second))
}
