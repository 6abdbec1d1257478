package bench

import (
	"fmt"
	"time"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/connectors/blackhole"
	"github.com/weirstream/weir/stream"
)

// Sizes says how much is run.
type Sizes struct {
	Rounds      int
	Records     int64 // of most jobs
	Wide        int64 // of the stateless job
	BigKeys     int64 // of the job with much state
	Checkpoints int64 // records of the job that is compared with and without checkpoints
	CheckKeys   int64 // its keys
	Lone        int   // records of the latency row
}

// Full and Quick are the sizes of the command.
var (
	Full  = Sizes{Rounds: 3, Records: 8_000_000, Wide: 8_000_000, BigKeys: 10_000_000, Checkpoints: 30_000_000, CheckKeys: 1_000_000, Lone: 300}
	Quick = Sizes{Rounds: 3, Records: 1_000_000, Wide: 2_000_000, BigKeys: 1_000_000, Checkpoints: 10_000_000, CheckKeys: 200_000, Lone: 100}
)

// keys is how many there are in the windowed jobs, at most.
const keys = 100_000

// slidingKeys are few, so that the results, 60 times as many, do not outweigh the records.
const slidingKeys = 1_000

// perBatch is the goal for allocations per record: none for a record, a few for a batch of about a thousand.
const perBatch = 0.005

// second is the interval of checkpoints, where there are any.
const second = time.Second

// A Measurement makes rows.
type Measurement struct {
	Name string
	Run  func(s Sizes) ([]Row, error)
}

// Suite is all measurements, in the order of the table.
var Suite = []Measurement{
	{"tax: tumbling", engineTax},
	{"tax: stateless", statelessTax},
	{"parallelism", parallelism},
	{"exchange", exchangeCost},
	{"latency", loneLatency},
	{"running: Go map", stateTax},
	{"sliding", slidingTax},
	{"checkpoints", checkpointTax},
	{"allocations", allocations},
}

// perMinute spreads n records over 8 windows.
func perMinute(n int64) int64 { return max(1, n/8) }

func ofJob(n int64, keys int64, parallelism int, windows stream.WindowAssigner, checkpoints time.Duration) side {
	return func() (digest, error) {
		to := newResults()
		err := run(windowed(n, events(keys, perMinute(n)), parallelism, windows, to), parallelism, checkpoints)
		return to.total(), err
	}
}

func ofLoop(n int64) side {
	return func() (digest, error) {
		out, total := digesting((*Result).fold)
		loopTumbling(n, events(keys, perMinute(n)), keys, out)
		return total(), nil
	}
}

var tumbling, sliding = stream.TumblingWindow(time.Minute), stream.SlidingWindow(time.Minute, time.Second)

func engineTax(s Sizes) ([]Row, error) {
	a, b, err := compare(s.Rounds, true, ofJob(s.Records, keys, 1, tumbling, second), ofLoop(s.Records))
	return []Row{atMost("tumbling count+sum, 100k keys: engine / loop", a, b, s.Records, 2)}, err
}

func statelessTax(s Sizes) ([]Row, error) {
	a, b, err := compare(s.Rounds, true, func() (digest, error) {
		to := newDigest(foldWide)
		err := run(stateless(s.Wide, to), 1, 0)
		return to.total(), err
	}, func() (digest, error) {
		out, total := digesting(foldWide)
		loopStateless(s.Wide, out)
		return total(), nil
	})
	return []Row{atMost("map+filter+map, 80 bytes: engine / closures", a, b, s.Wide, 1.5)}, err
}

func parallelism(s Sizes) ([]Row, error) {
	a, b, err := compare(s.Rounds, true, ofJob(s.Records, keys, 1, tumbling, second), ofJob(s.Records, keys, 2, tumbling, second))
	return []Row{atLeast("tumbling: parallelism 1 / parallelism 2", a, b, s.Records, 1.6)}, err
}

func exchangeCost(s Sizes) ([]Row, error) {
	with := func(make func(int64, fill[Event], connectors.Sink[Event]) *stream.Job) side {
		return func() (digest, error) {
			to := newDigest(foldEvent)
			err := run(make(s.Records, events(keys, perMinute(s.Records)), to), 1, 0)
			return to.total(), err
		}
	}
	a, b, err := compare(s.Rounds, true, with(exchanged), with(direct))
	return []Row{costAtMost("exchange, 16 bytes: CPU with − without", a, b, s.Records, 30)}, err
}

func loneLatency(s Sizes) ([]Row, error) {
	took, err := latency(s.Lone)
	micros := float64(took) / float64(time.Microsecond)
	return []Row{{Name: "lone record, idle job, median", Value: micros, Unit: "µs", Goal: 200, A: "-", B: "-"}}, err
}

// untilLast runs a job until its last record is out, and then has its heap collected while the state is alive.
func untilLast(n int64, job func(to connectors.Sink[Result]) *stream.Job, wall, cpu, gc *time.Duration) side {
	return func() (digest, error) {
		to := newResults()
		begun, used := time.Now(), cpuTime()
		to.want, to.reached = n, func() {
			*wall, *cpu = time.Since(begun), cpuTime()-used
			*gc = collectionCPU()
		}
		err := run(job(to), 1, 0)
		return to.total(), err
	}
}

func stateTax(s Sizes) ([]Row, error) {
	n := s.BigKeys + s.BigKeys/2
	f := events(s.BigKeys, n)
	var as, bs, gcs, mapGCs []sample
	for range s.Rounds {
		var wall, cpu, gc time.Duration
		a, err := measured(untilLast(n, func(to connectors.Sink[Result]) *stream.Job { return running(n, f, to) }, &wall, &cpu, &gc))
		if err != nil {
			return nil, err
		}
		as, gcs = append(as, sample{wall: wall, cpu: cpu}), append(gcs, sample{cpu: gc})
		b, err := measured(untilLast(n, func(to connectors.Sink[Result]) *stream.Job { return runningInGoMap(n, f, to) }, &wall, &cpu, &gc))
		if err != nil {
			return nil, err
		}
		bs, mapGCs = append(bs, sample{wall: wall, cpu: cpu}), append(mapGCs, sample{cpu: gc})
		if a.result != b.result {
			return nil, fmt.Errorf("state and Go map have different results: %+v and %+v", a.result, b.result)
		}
	}
	millis := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	gc, mapGC := median(gcs).cpu, median(mapGCs).cpu
	size := fmt.Sprintf("%g M keys", float64(s.BigKeys)/1e6)
	return []Row{
		atMost("running sum, "+size+": state / Go map", median(as), median(bs), n, 1.0/3),
		{Name: "one collection with that state: CPU", Value: millis(gc), Unit: "ms", Goal: 50,
			A: fmt.Sprintf("%.1f ms", millis(gc)), B: fmt.Sprintf("%.1f ms", millis(mapGC))},
	}, nil
}

func slidingTax(s Sizes) ([]Row, error) {
	n := s.Records
	a, b, err := compare(s.Rounds, false, ofJob(n, slidingKeys, 1, sliding, 0), ofJob(n, slidingKeys, 1, tumbling, 0))
	return []Row{atMost("sliding, 60 overlaps / tumbling", a, b, n, 2)}, err
}

func checkpointTax(s Sizes) ([]Row, error) {
	n := s.Checkpoints
	with := func(interval time.Duration) side {
		return func() (digest, error) {
			to := newResults()
			err := run(running(n, events(s.CheckKeys, n), to), 1, interval)
			return to.total(), err
		}
	}
	a, b, err := compare(s.Rounds, true, with(second), with(0))
	return []Row{atMost(fmt.Sprintf("checkpoint every second / none, %g M keys", float64(s.CheckKeys)/1e6), a, b, n, 1.05)}, err
}

// allocations compares a job of n records with one of 3n: what the additional ones allocate is per record.
func allocations(s Sizes) ([]Row, error) {
	n := s.Records / 4
	jobs := []struct {
		name string
		make func(n int64) *stream.Job
	}{
		{"map", func(n int64) *stream.Job {
			job, in := from("map", n, wideEvents, 1)
			stream.Map(in, priced).To(blackhole.Sink[Wide]())
			return job
		}},
		{"filter", func(n int64) *stream.Job {
			job, in := from("filter", n, wideEvents, 1)
			in.Filter(kept).To(blackhole.Sink[Wide]())
			return job
		}},
		{"keyBy exchange + running sum", func(n int64) *stream.Job {
			return running(n, events(slidingKeys, n), blackhole.Sink[Result]())
		}},
		{"window aggregate on existing keys", func(m int64) *stream.Job {
			return windowed(m, events(slidingKeys, 4*n), 1, tumbling, blackhole.Sink[Result]())
		}},
	}
	var rows []Row
	for _, j := range jobs {
		of := func(n int64) side {
			return func() (digest, error) { return digest{}, run(j.make(n), 1, 0) }
		}
		b, a, err := compare(s.Rounds, false, of(n), of(3*n))
		if err != nil {
			return nil, err
		}
		per := (float64(a.mallocs) - float64(b.mallocs)) / float64(2*n)
		rows = append(rows, Row{Name: "allocations per record: " + j.name, Value: max(0, per), Goal: perBatch,
			A: fmt.Sprint(a.mallocs), B: fmt.Sprint(b.mallocs)})
	}
	return rows, nil
}
