package state

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/weirstream/weir/flow"
)

// TTL lets state expire, in processing time. What has expired is never returned again; its memory is freed when it is
// come across, or by Backend.Sweep. Values expire as a whole; of lists and maps, each element by itself.
type TTL struct {
	// Duration is how long after its last update a value lives. It is at least a millisecond.
	Duration time.Duration
	// UpdateOnRead has reads count as updates.
	UpdateOnRead bool
}

// lifetime is a checked TTL. The zero lifetime is for ever.
type lifetime struct {
	d      flow.Time
	onRead bool
}

func (t TTL) lifetime() (lifetime, error) {
	d := flow.Duration(t.Duration)
	if d <= 0 {
		return lifetime{}, fmt.Errorf("its time to live is %v: make it at least a millisecond", t.Duration)
	}
	return lifetime{d, t.UpdateOnRead}, nil
}

func (l lifetime) on() bool { return l.d > 0 }

// expired reports whether what was stamped then is gone now.
func (l lifetime) expired(then, now flow.Time) bool { return then.Add(l.d) <= now }

// stamps are the times of the last updates of rows; they take no memory when there is no lifetime.
type stamps struct {
	blocks[flow.Time]
	life lifetime
}

// mark stamps row r.
func (s *stamps) mark(r uint32, now flow.Time) {
	s.extend(r)
	*s.write(r) = now
}

// flags say what a body of a Backend's section has for each value beside it.
type flags byte

const (
	stamped  flags = 1 << iota // 8 bytes: the time of the last update
	allFlags       = stamped
)

func (l lifetime) flags() flags {
	if l.on() {
		return stamped
	}
	return 0
}

func appendStamp(buf []byte, t flow.Time) []byte {
	return binary.LittleEndian.AppendUint64(buf, uint64(t))
}

// readStamp reads the stamp of a value; values that were written without are stamped now.
func (f flags) readStamp(buf []byte, now flow.Time) (flow.Time, []byte, error) {
	if f&stamped == 0 {
		return now, buf, nil
	}
	if len(buf) < 8 {
		return 0, buf, fmt.Errorf("%w: %d bytes are too few for a time", ErrDamaged, len(buf))
	}
	return flow.Time(binary.LittleEndian.Uint64(buf)), buf[8:], nil
}
