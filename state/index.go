package state

import (
	"errors"
	"unsafe"
)

var errTooManyRows = errors.New("state: more than 4 billion rows in one table: give the operator more key groups (max parallelism) or its keys a time to live")

// Sizes of the index. A segment is what is rehashed at a time: 4,096 slots of 8 bytes take about 20 µs.
const (
	minSlots = 8
	maxSlots = 4096
	// maxDepth keeps at least one bit of the tag for the place within a segment.
	maxDepth = 31
	// sparseness bounds the directory: segments are split while there are at most so many slots per row, and doubled
	// instead after that. It takes keys whose hashes agree in many bits to come there.
	sparseness = 16
)

// index finds rows by the lower half of their key's hash, the tag. It is a directory over segments, picked by the upper
// bits of the tag; a segment is open addressing with linear probing, of words that have the tag in the upper half and
// the row plus one in the lower; zero is empty. A full segment is split in two, so growth never stops the world (I4).
// Rows are not needed to grow, for tags are whole.
type index struct {
	dir   []segment // 1<<depth of them; segments split less often stand in it several times, side by side
	shift uint8     // 32-depth
	n     int
}

type segment struct {
	slots *uint64 // the first of mask+1
	used  *uint32 // how many are taken
	mask  uint32
	shift uint8 // a tag's home slot is tag>>shift&mask
	depth uint8
}

func newSegment(slots uint32, depth uint8) segment {
	s := segment{slots: unsafe.SliceData(make([]uint64, slots)), used: new(uint32), mask: slots - 1, depth: depth}
	lg := uint8(0)
	for 1<<lg < slots {
		lg++
	}
	s.shift = uint8(max(32-int(depth)-int(lg), 0))
	return s
}

func (s *segment) slot(i uint32) *uint64 {
	return (*uint64)(unsafe.Add(unsafe.Pointer(s.slots), uintptr(i&s.mask)*8))
}

func (s *segment) home(tag uint64) uint32 { return uint32(tag >> (s.shift & 63)) }

func (s *segment) put(word uint64) {
	i := s.home(word >> 32)
	for *s.slot(i) != 0 {
		i++
	}
	*s.slot(i) = word
	*s.used++
}

func (s *segment) all() []uint64 { return unsafe.Slice(s.slots, s.mask+1) }

func newIndex() index {
	return index{dir: []segment{newSegment(minSlots, 0)}, shift: 32}
}

func (x *index) segment(tag uint64) *segment { return &x.dir[tag>>(x.shift&63)] }

// add enters a row that is not there yet.
func (x *index) add(tag uint64, row uint32) {
	s := x.segment(tag)
	for (*s.used+1)*4 > (s.mask+1)*3 {
		x.grow(tag)
		s = x.segment(tag)
	}
	s.put(tag<<32 | uint64(row+1))
	x.n++
}

// remove takes out a row that is there. What was displaced by it moves up, so that no tombstones are needed.
func (x *index) remove(tag uint64, row uint32) {
	s := x.segment(tag)
	word := tag<<32 | uint64(row+1)
	i := s.home(tag)
	for *s.slot(i) != word {
		i++
	}
	for j := i + 1; ; j++ {
		w := *s.slot(j)
		if w == 0 {
			break
		}
		if (j-s.home(w>>32))&s.mask >= (j-i)&s.mask {
			*s.slot(i) = w
			i = j
		}
	}
	*s.slot(i) = 0
	*s.used--
	x.n--
}

// grow doubles or splits the segment of tag.
func (x *index) grow(tag uint64) {
	old := *x.segment(tag)
	slots, span := old.mask+1, uint64(1)<<(32-x.shift-old.depth)
	first := tag >> x.shift &^ (span - 1)
	depth := 32 - x.shift
	split := slots >= maxSlots && old.depth < maxDepth &&
		(old.depth < depth || uint64(maxSlots)<<depth <= sparseness*uint64(x.n))
	if !split {
		big := newSegment(slots*2, old.depth)
		for _, w := range old.all() {
			if w != 0 {
				big.put(w)
			}
		}
		for i := range span {
			x.dir[first+i] = big
		}
		return
	}
	if old.depth == depth {
		x.double()
		first, span = first*2, 2
	}
	halves := [2]segment{newSegment(slots, old.depth+1), newSegment(slots, old.depth+1)}
	for _, w := range old.all() {
		if w != 0 {
			halves[w>>32>>(31-old.depth)&1].put(w)
		}
	}
	for i := range span {
		x.dir[first+i] = halves[i*2/span]
	}
}

// double makes the directory twice as long; every segment stands in it twice as often.
func (x *index) double() {
	dir := make([]segment, 2*len(x.dir))
	for i, s := range x.dir {
		dir[2*i], dir[2*i+1] = s, s
	}
	x.dir = dir
	x.shift--
}

// each calls f for every segment once.
func (x *index) each(f func(s *segment)) {
	for i := 0; i < len(x.dir); i += 1 << (32 - x.shift - x.dir[i].depth) {
		f(&x.dir[i])
	}
}

// reset takes out all rows and keeps the memory.
func (x *index) reset() {
	x.each(func(s *segment) {
		clear(s.all())
		*s.used = 0
	})
	x.n = 0
}

func (x *index) bytes() int64 {
	b := int64(len(x.dir)) * int64(unsafe.Sizeof(segment{}))
	x.each(func(s *segment) { b += int64(s.mask+1) * 8 })
	return b
}
