package connector

import (
	"encoding/binary"
	"fmt"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// maxRanges bounds the splits of one Gaps source.
const maxRanges = 1 << 12

// Gaps is a source of the numbers From to To-1 that no Gap divides. A number's time is the number itself, in
// milliseconds. The range is cut into Splits ranges of equal length, which subtasks take one after the other.
//
// A Source value is a description only: it is shared by all subtasks, so what changes is in the reader.
type Gaps struct {
	From, To, Gap int64
	Splits        int
}

var _ connectors.Source[int64] = Gaps{}

// Check is called before the job runs: here mistakes cost least.
func (g Gaps) Check() error {
	switch {
	case g.From < 0 || g.To < g.From:
		return fmt.Errorf("gaps: from %d to %d is no range of numbers from 0", g.From, g.To)
	case g.Gap < 2:
		return fmt.Errorf("gaps: Gap %d leaves nothing out or everything; take 2 or more", g.Gap)
	case g.Splits < 1 || g.Splits > maxRanges:
		return fmt.Errorf("gaps: Splits %d is not from 1 to %d", g.Splits, maxRanges)
	}
	return nil
}

func (g Gaps) Bounded() bool { return true }

// Enumerator finds the splits. They are known beforehand here, so Fixed does it; a source that must look somewhere
// implements connectors.Enumerator itself.
func (g Gaps) Enumerator() (connectors.Enumerator, error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	var splits []connectors.Split
	for i := range int64(g.Splits) {
		r := span{g.From + (g.To-g.From)*i/int64(g.Splits), g.From + (g.To-g.From)*(i+1)/int64(g.Splits)}
		splits = append(splits, connectors.Split{ID: fmt.Sprintf("%d-%d", r.next, r.end), State: r.encode(), Watermark: flow.MinTime})
	}
	// An empty range would have its neighbour's id.
	if g.To-g.From < int64(g.Splits) {
		splits = distinct(splits)
	}
	return connectors.Fixed(connectors.Pull, splits), nil
}

func distinct(splits []connectors.Split) []connectors.Split {
	seen := map[string]bool{}
	var kept []connectors.Split
	for _, s := range splits {
		if !seen[s.ID] {
			seen[s.ID] = true
			kept = append(kept, s)
		}
	}
	return kept
}

func (g Gaps) Reader(connectors.ReaderContext) (connectors.Reader[int64], error) {
	if err := g.Check(); err != nil {
		return nil, err
	}
	return gapsReader{g.Gap}, nil
}

type gapsReader struct{ gap int64 }

// Open takes a split from its State: a new one, or one that was read in part before a restore, perhaps elsewhere.
func (r gapsReader) Open(s connectors.Split) (connectors.SplitReader[int64], error) {
	at, err := decodeSpan(s.State)
	if err != nil {
		return nil, fmt.Errorf("gaps: split %s: %w", s.ID, err)
	}
	return &gapsSplit{span: at, gap: r.gap}, nil
}

func (r gapsReader) Close() error { return nil }

type gapsSplit struct {
	span
	gap int64
	v   int64
}

// Poll emits at most max records and does not block. v is borrowed: one variable serves all records.
func (s *gapsSplit) Poll(max int, emit func(v *int64, t flow.Time)) (connectors.Status, flow.Time, error) {
	for ; max > 0 && s.next < s.end; s.next++ {
		if s.next%s.gap != 0 {
			s.v = s.next
			emit(&s.v, flow.Time(s.next))
			max--
		}
	}
	if s.next >= s.end {
		return connectors.SplitDone, flow.MaxTime, nil
	}
	return connectors.More, flow.MinTime, nil
}

// Position is the State from which Open goes on behind the last record.
func (s *gapsSplit) Position() []byte { return s.encode() }

func (s *gapsSplit) Close() error { return nil }

// span is what is left of a range.
type span struct{ next, end int64 }

func (s span) encode() []byte {
	return binary.AppendVarint(binary.AppendVarint(nil, s.next), s.end)
}

func decodeSpan(b []byte) (span, error) {
	next, n := binary.Varint(b)
	if n > 0 {
		if end, m := binary.Varint(b[n:]); m > 0 && n+m == len(b) && 0 <= next && next <= end {
			return span{next, end}, nil
		}
	}
	return span{}, fmt.Errorf("% x is no range of numbers: the checkpoint is damaged or of another source", b)
}
