package scheduler

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/weirstream/weir/connectors"
	"github.com/weirstream/weir/flow"
)

// MaxSplits is how many splits of one source may be known and not yet read: each is kept in the master's memory and in
// every checkpoint.
const MaxSplits = 1 << 20

// Splits deals out the splits of one source to its readers. Readers ask for them: a request is answered at once or when
// there is something to answer, and may be repeated. It is not safe for concurrent use.
//
// A split belongs to one reader from the answer that gave it until a checkpoint completes in which that reader had
// finished it. Each split's position is the one of the newest completed checkpoint: there it is read on from when its
// reader fails. Together with I4 that makes I8.
type Splits struct {
	name       string
	assignment connectors.Assignment
	enumerator []byte // state that goes with what was discovered
	done       bool
	made       int               // splits numbered so far
	table      map[string]*split // not finished, by ID
	// ahead are the splits that a restored checkpoint knows by its readers only: the restored enumerator finds them again.
	ahead   map[string]bool
	pending [][]*split // by number; one queue per reader if Eager, else one
	readers []reader   // by subtask
	parked  []int      // readers whose request waits, oldest first
}

type split struct {
	connectors.Split
	number int // order of discovery
	queue  int
	owner  int // subtask; nobody while it is pending
}

const nobody = -1

// reader is what is known of the reader in one subtask.
type reader struct {
	attempt flow.Attempt
	request int64        // the newest; 0 before the first
	answer  *SplitAnswer // to it; nil while it waits
}

// SplitRequest is a reader asking for splits. Request counts from 1 in every attempt; the same request is repeated until
// its answer has come.
type SplitRequest struct {
	Subtask int
	Attempt flow.Attempt
	Request int64
}

// SplitAnswer answers a request: with splits, or with NoMore, after which the reader need not ask again.
type SplitAnswer struct {
	SplitRequest
	Splits []connectors.Split
	NoMore bool
}

func (a SplitAnswer) String() string {
	what := "no more splits"
	if !a.NoMore {
		what = "splits"
		for _, s := range a.Splits {
			what += fmt.Sprintf(" %s@%q", s.ID, s.State)
		}
	}
	return fmt.Sprintf("subtask %d, attempt %d, request %d: %s", a.Subtask, a.Attempt, a.Request, what)
}

// SourcePart is what a checkpoint keeps of Splits.
type SourcePart struct {
	Enumerator []byte // for Enumerator.Restore
	Done       bool
	Splits     []connectors.Split
	Ahead      []string
}

// ReaderPart is what a checkpoint keeps of one reader.
type ReaderPart struct {
	Subtask int
	// Open are the splits that it has, with their positions.
	Open []connectors.Split
	// Finished are those that it has finished since the last checkpoint it knows to be complete. More do no harm.
	Finished []string
}

// NewSplits begins with no split known. name is the source's, for error messages.
func NewSplits(name string, a connectors.Assignment, parallelism int) *Splits {
	queues := 1
	if a == connectors.Eager {
		queues = parallelism
	}
	return &Splits{name: name, assignment: a, table: map[string]*split{}, ahead: map[string]bool{},
		pending: make([][]*split, queues), readers: make([]reader, parallelism)}
}

// RestoreSplits begins from a checkpoint, at any parallelism. readers are the parts of all readers of that checkpoint.
func RestoreSplits(name string, a connectors.Assignment, parallelism int, part SourcePart, readers []ReaderPart) (*Splits, error) {
	s := NewSplits(name, a, parallelism)
	s.enumerator, s.done = part.Enumerator, part.Done
	for _, id := range part.Ahead {
		s.ahead[id] = true
	}
	known := map[string]bool{}
	for _, sp := range part.Splits {
		known[sp.ID] = true
	}
	open, finished := map[string]connectors.Split{}, map[string]bool{}
	var extra []connectors.Split
	for _, r := range readers {
		for _, sp := range r.Open {
			if _, twice := open[sp.ID]; twice {
				return nil, fmt.Errorf("source %s: the checkpoint has split %q in two readers, one of them subtask %d: it is damaged", name, sp.ID, r.Subtask)
			}
			open[sp.ID] = sp
			if !known[sp.ID] {
				extra = append(extra, sp)
				s.ahead[sp.ID] = true
			}
		}
		for _, id := range r.Finished {
			finished[id] = true
			if !known[id] {
				s.ahead[id] = true
			}
		}
	}
	var all []connectors.Split
	for _, sp := range part.Splits {
		if at, read := open[sp.ID]; read {
			sp = at
		} else if finished[sp.ID] {
			continue
		}
		all = append(all, sp)
	}
	s.add(append(all, extra...))
	return s, nil
}

// Enumerator is the state to restore the source's enumerator with; nil for a fresh start.
func (s *Splits) Enumerator() []byte { return s.enumerator }

// Done reports whether there will be no more splits to discover.
func (s *Splits) Done() bool { return s.done }

// Count is the number of splits that wait for a reader and that readers have.
func (s *Splits) Count() (pending, assigned int) {
	for _, q := range s.pending {
		pending += len(q)
	}
	return pending, len(s.table) - pending
}

// Discovered takes what Enumerator.Discover returned. state is what Snapshot returned right after that call, before any
// other: splits and state must not come apart.
func (s *Splits) Discovered(fresh []connectors.Split, done bool, state []byte) ([]SplitAnswer, error) {
	if len(s.table)+len(fresh) > MaxSplits {
		return nil, fmt.Errorf("source %s: more than %d splits wait to be read: let the enumerator find fewer at a time, or make larger splits", s.name, MaxSplits)
	}
	var add []connectors.Split
	seen := map[string]bool{}
	for _, sp := range fresh {
		if s.ahead[sp.ID] {
			delete(s.ahead, sp.ID) // it is in the table or was read to its end
			continue
		}
		if sp.ID == "" || seen[sp.ID] || s.table[sp.ID] != nil {
			return nil, fmt.Errorf("source %s: its enumerator returned split %q, which is empty or was returned before: IDs must be unique", s.name, sp.ID)
		}
		seen[sp.ID] = true
		add = append(add, sp)
	}
	s.add(add)
	s.enumerator, s.done = state, done
	return s.serve(), nil
}

// add numbers new splits and queues them. Eager ones are dealt out in the order of their IDs.
func (s *Splits) add(fresh []connectors.Split) {
	if s.assignment == connectors.Eager {
		fresh = slices.Clone(fresh)
		slices.SortFunc(fresh, func(a, b connectors.Split) int { return cmp.Compare(a.ID, b.ID) })
	}
	for _, sp := range fresh {
		n := &split{Split: sp, number: s.made, queue: s.made % len(s.pending), owner: nobody}
		s.made++
		s.table[sp.ID] = n
		s.pending[n.queue] = append(s.pending[n.queue], n)
	}
}

// Requested takes a reader's request. Requests of attempts that Rewind has not named are passed over.
func (s *Splits) Requested(r SplitRequest) []SplitAnswer {
	if r.Subtask < 0 || r.Subtask >= len(s.readers) {
		return nil
	}
	rd := &s.readers[r.Subtask]
	switch {
	case r.Attempt != rd.attempt || r.Request < rd.request:
		return nil
	case r.Request > rd.request:
		if rd.request == 0 || rd.answer != nil {
			s.parked = append(s.parked, r.Subtask)
		}
		rd.request, rd.answer = r.Request, nil
		return s.serve()
	case rd.answer != nil:
		return []SplitAnswer{*rd.answer}
	}
	return nil
}

// serve answers the waiting requests that can be answered.
func (s *Splits) serve() []SplitAnswer {
	var out []SplitAnswer
	left := s.parked[:0]
	for _, subtask := range s.parked {
		rd := &s.readers[subtask]
		splits := s.take(subtask)
		if len(splits) == 0 && !s.done {
			left = append(left, subtask)
			continue
		}
		rd.answer = &SplitAnswer{SplitRequest{subtask, rd.attempt, rd.request}, splits, len(splits) == 0}
		out = append(out, *rd.answer)
	}
	s.parked = left
	return out
}

// take gives a reader what it is to have next: its whole share if Eager, else one split.
func (s *Splits) take(subtask int) []connectors.Split {
	queue, n := 0, 1
	if s.assignment == connectors.Eager {
		queue = subtask
		n = len(s.pending[queue])
	}
	n = min(n, len(s.pending[queue]))
	var splits []connectors.Split
	for _, sp := range s.pending[queue][:n] {
		sp.owner = subtask
		splits = append(splits, sp.Split)
	}
	s.pending[queue] = s.pending[queue][n:]
	return splits
}

// Rewind says that source subtasks are being deployed with a new attempt, from the newest completed checkpoint (effect
// RegionRestored): what they had goes back to its position there, before all that waits.
func (s *Splits) Rewind(subtasks []int, attempt flow.Attempt) []SplitAnswer {
	for _, t := range subtasks {
		s.readers[t] = reader{attempt: attempt}
	}
	gone := func(t int) bool { return slices.Contains(subtasks, t) }
	s.parked = slices.DeleteFunc(s.parked, gone)
	back := make([][]*split, len(s.pending))
	for _, sp := range s.table {
		if sp.owner != nobody && gone(sp.owner) {
			sp.owner = nobody
			back[sp.queue] = append(back[sp.queue], sp)
		}
	}
	for q, b := range back {
		if len(b) > 0 {
			s.pending[q] = append(b, s.pending[q]...)
			slices.SortFunc(s.pending[q], func(x, y *split) int { return cmp.Compare(x.number, y.number) })
		}
	}
	return s.serve()
}

// Snapshot is the source's part of a checkpoint. It is taken when the checkpoint is triggered or at any later time until
// its manifest is written.
func (s *Splits) Snapshot() SourcePart {
	p := SourcePart{Enumerator: s.enumerator, Done: s.done, Ahead: slices.Sorted(maps.Keys(s.ahead))}
	all := slices.SortedFunc(maps.Values(s.table), func(x, y *split) int { return cmp.Compare(x.number, y.number) })
	for _, sp := range all {
		p.Splits = append(p.Splits, sp.Split)
	}
	return p
}

// Completed says that a checkpoint is complete, with the parts of all readers: positions move up and finished splits are
// forgotten. An error means that a reader and the master disagree on who reads what: the job must restart as a whole.
func (s *Splits) Completed(readers []ReaderPart) error {
	for _, r := range readers {
		for _, sp := range r.Open {
			known := s.table[sp.ID]
			if known == nil || known.owner != r.Subtask {
				return fmt.Errorf("source %s: subtask %d has read split %q, which it was not given", s.name, r.Subtask, sp.ID)
			}
			known.Split = sp
		}
		for _, id := range r.Finished {
			known := s.table[id]
			switch {
			case known == nil: // reported again
			case known.owner != r.Subtask:
				return fmt.Errorf("source %s: subtask %d has finished split %q, which it was not given", s.name, r.Subtask, id)
			default:
				delete(s.table, id)
			}
		}
	}
	return nil
}
