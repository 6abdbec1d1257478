package timeservice

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/weirstream/weir/flow"
)

// Frozen is timers as they stood at Freeze.
type Frozen[K, N comparable] struct{ nodes []node[K, N] }

// Freeze copies the timers, so that they can be written while the operator goes on. It costs a copy of the arena.
func (ts *Timers[K, N]) Freeze() Frozen[K, N] {
	if ts.live == 0 {
		return Frozen[K, N]{}
	}
	return Frozen[K, N]{slices.Clone(ts.nodes)}
}

// Each calls f for every timer, in no meaningful order, but the same one after the same history.
func (f Frozen[K, N]) Each(each func(Timer[K, N])) {
	for i := range f.nodes {
		if f.nodes[i].state == nodeLive {
			each(f.nodes[i].Timer)
		}
	}
}

// TimerCodec writes and reads timers.
type TimerCodec[K, N comparable] struct {
	Key  flow.Codec[K]
	NS   flow.Codec[N] // nil when N says nothing, as struct{} does
	Hash func(k *K) uint64
}

// Fingerprint names the format.
func (c TimerCodec[K, N]) Fingerprint() string {
	if c.NS == nil {
		return "timers1(" + c.Key.Fingerprint() + ")"
	}
	return "timers1(" + c.Key.Fingerprint() + "," + c.NS.Fingerprint() + ")"
}

// Sections writes the timers of each of max key groups that has any: their times, keys and namespaces, one after the
// other. body is valid during the call of write.
func (f Frozen[K, N]) Sections(max int, c TimerCodec[K, N], write func(group int, body []byte) error) error {
	first := make([]int, max+1) // by counting sort: where each group's timers begin
	n := 0
	for i := range f.nodes {
		if f.nodes[i].state == nodeLive {
			first[flow.KeyGroup(f.nodes[i].Hash, max)+1]++
			n++
		}
	}
	for g := range max {
		first[g+1] += first[g]
	}
	order, fill := make([]uint32, n), slices.Clone(first)
	for i := range f.nodes {
		if f.nodes[i].state == nodeLive {
			g := flow.KeyGroup(f.nodes[i].Hash, max)
			order[fill[g]] = uint32(i)
			fill[g]++
		}
	}
	var buf []byte
	var err error
	for g := range max {
		if first[g] == first[g+1] {
			continue
		}
		buf = buf[:0]
		for _, i := range order[first[g]:first[g+1]] {
			if buf, err = c.append(buf, &f.nodes[i].Timer); err != nil {
				return err
			}
		}
		if err := write(g, buf); err != nil {
			return err
		}
	}
	return nil
}

func (c TimerCodec[K, N]) append(buf []byte, t *Timer[K, N]) ([]byte, error) {
	buf = binary.AppendVarint(buf, int64(t.Time))
	buf, err := c.Key.Append(buf, &t.Key)
	if err == nil && c.NS != nil {
		buf, err = c.NS.Append(buf, &t.NS)
	}
	if err != nil {
		return buf, fmt.Errorf("timer at %v: %w", t.Time, err)
	}
	return buf, nil
}

var errTimer = errors.New("a timer's time does not parse")

// Restore registers the timers of one section that Frozen.Sections has written.
func (ts *Timers[K, N]) Restore(body []byte, c TimerCodec[K, N]) error {
	for len(body) > 0 {
		at, n := binary.Varint(body)
		if n <= 0 {
			return errTimer
		}
		body = body[n:]
		var key K
		var ns N
		var err error
		if body, err = c.Key.Read(body, &key); err == nil && c.NS != nil {
			body, err = c.NS.Read(body, &ns)
		}
		if err != nil {
			return fmt.Errorf("timer at %v: %w", flow.Time(at), err)
		}
		ts.Register(flow.Time(at), c.Hash(&key), key, ns)
	}
	return nil
}
