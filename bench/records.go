package bench

import (
	"github.com/weirstream/weir/connectors/generator"
	"github.com/weirstream/weir/flow"
	"github.com/weirstream/weir/stream"
)

// Event is the record of the keyed jobs: 16 bytes.
type Event struct{ Key, Value int64 }

// Wide is the record of the stateless job: 80 bytes.
type Wide struct {
	ID, User, Shop, Item, Price, Count, Tax, Region, Flags, Sum int64
}

// Total is what is known of a key.
type Total struct{ Count, Sum int64 }

func (t *Total) add(v *Event)     { t.Count, t.Sum = t.Count+1, t.Sum+v.Value }
func (t *Total) merge(o *Total)   { t.Count, t.Sum = t.Count+o.Count, t.Sum+o.Sum }
func (t *Total) retract(o *Total) { t.Count, t.Sum = t.Count-o.Count, t.Sum-o.Sum }

// Result is the Total of a key, in the window that ends at End; 0 where there is no window.
type Result struct{ Key, End, Count, Sum int64 }

// fold makes a number of a result, so that the sum over all results tells two sets of them apart.
func (r *Result) fold() uint64 {
	return mix(uint64(r.Key) + mix(uint64(r.End)+mix(uint64(r.Count)+mix(uint64(r.Sum)))))
}

// mix is the finalizer of splitmix64: a bijection that looks random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// minute is the size of the windows, in milliseconds.
const minute flow.Time = 60_000

// fill makes event n in *v, as package generator wants it.
type fill[T any] func(n int64, v *T) flow.Time

// events are uniform over keys, with perMinute records to each minute of event time.
func events(keys, perMinute int64) fill[Event] {
	return func(n int64, v *Event) flow.Time {
		h := mix(uint64(n))
		v.Key, v.Value = int64((h>>32)*uint64(keys)>>32), int64(h&1023)
		return flow.Time(n * int64(minute) / perMinute)
	}
}

// wideEvents are 80 bytes each.
func wideEvents(n int64, v *Wide) flow.Time {
	h := mix(uint64(n))
	v.ID, v.User, v.Shop, v.Item = n, int64(h>>40), int64(h>>20&1023), int64(h&0xffff)
	v.Price, v.Count, v.Region = int64(h>>8&0xffff), 1+int64(h&7), int64(h>>60)
	return flow.Time(n)
}

// from makes a stream of n of those events, in that many splits.
func from[T any](name string, n int64, f fill[T], splits int) (*stream.Job, stream.Stream[T]) {
	job := stream.NewJob(name)
	return job, stream.From(job, generator.New(n, f, generator.Splits(splits)), stream.Monotonous[T]())
}
