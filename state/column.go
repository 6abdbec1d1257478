package state

import (
	"github.com/weirstream/weir/codec"
	"github.com/weirstream/weir/flow"
)

// column has one T for some of the rows of one shard of a backend's directory.
type column[T any] struct {
	rows  blocks[T]
	has   bitset
	noPtr bool
}

func newColumns[T any](b *Backend, value flow.Codec[T]) []column[T] {
	cs := make([]column[T], b.groups.Len())
	for i := range cs {
		c := &cs[i]
		var clone func(r uint32, v *T)
		if !codec.Shareable[T]() {
			clone = func(r uint32, v *T) {
				if c.has.has(r) {
					deepCopy(value, v)
				}
			}
		}
		c.rows, c.noPtr = newBlocks(b.held, clone), codec.PointerFree[T]()
	}
	return cs
}

// get is row r, to be read, or nil.
func (c *column[T]) get(r uint32) *T {
	if !c.has.has(r) { // never so for none: bitsets are shorter
		return nil
	}
	return c.rows.at(r)
}

// put is row r, to be written; zero when fresh.
func (c *column[T]) put(r uint32) (v *T, fresh bool) {
	if c.has.has(r) {
		return c.rows.write(r), false
	}
	c.rows.extend(r)
	v = c.rows.write(r)
	*v = *new(T)
	c.has.set(r)
	return v, true
}

// drop empties row r, which must have something.
func (c *column[T]) drop(r uint32) {
	if !c.noPtr {
		*c.rows.write(r) = *new(T)
	}
	c.has.unset(r)
}

func (c *column[T]) bytes() int64 { return c.rows.bytes() + int64(cap(c.has))*8 }

type frozenColumn[T any] struct {
	frozenBlocks[T]
	has bitset
}

func (c *column[T]) freeze() frozenColumn[T] {
	return frozenColumn[T]{c.rows.freeze(), append(bitset(nil), c.has...)}
}

// cursor is where a sweep stands.
type cursor struct {
	shard int
	row   uint32
}

// advance calls visit for set bits from the cursor on, until the budget is used up or every shard was gone through.
func (c *cursor) advance(shards, budget int, live func(shard int) bitset, visit func(shard int, r uint32)) {
	for turns := 0; budget > 0 && turns <= shards; {
		r, left := live(c.shard).next(c.row, budget)
		if budget = left; r == none {
			c.shard, c.row = (c.shard+1)%shards, 0
			turns++
			continue
		}
		if budget == 0 {
			c.row = r
			return
		}
		visit(c.shard, r)
		c.row = r + 1
		budget--
	}
}
