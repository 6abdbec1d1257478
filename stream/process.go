package stream

import (
	"errors"
	"fmt"

	"github.com/weirstream/weir/operators"
)

// Process functions are described by a spec: the functions of one subtask, which may share variables with each other. So
// steps take a function that makes the spec, and call it once for each subtask (and once when the job is wired, to see
// what side outputs there are). What has to survive a failure belongs in state, declared in the spec's Open.
type (
	// ProcessSpec is the functions of Process.
	ProcessSpec[I, O any] = operators.ProcessSpec[I, O]
	// KeyedProcessSpec is the functions of ProcessKeyed. Its Key and KeyType are set by KeyBy.
	KeyedProcessSpec[K comparable, I, O any] = operators.KeyedProcessSpec[K, I, O]
	// CoProcessSpec is the functions of CoProcess.
	CoProcessSpec[A, B, O any] = operators.CoProcessSpec[A, B, O]
	// KeyedCoProcessSpec is the functions of CoProcessKeyed. Its KeyA, KeyB and KeyType are set by KeyBy.
	KeyedCoProcessSpec[K comparable, A, B, O any] = operators.KeyedCoProcessSpec[K, A, B, O]

	// OpenContext is what a spec's Open may see, and where state is declared.
	OpenContext = operators.OpenContext
	// ProcessContext is what a process function may see and do.
	ProcessContext[O any] = operators.ProcessContext[O]
	// KeyedContext is what a keyed process function may see and do for the key in hand.
	KeyedContext[K comparable, O any] = operators.KeyedContext[K, O]
	// TimerContext is what OnTimer may see and do for the timer's key.
	TimerContext[K comparable, O any] = operators.TimerContext[K, O]
	// Tag names a side output for records of T; it is listed in the spec's Sides, emitted to with its Emit, and taken up
	// by SideOutput.
	Tag[T any] = operators.Tag[T]
	// Sides is the type of the specs' Sides.
	Sides = []operators.SideOutput
)

// NewTag returns the tag of a side output. id is unique within the step.
func NewTag[T any](id string) Tag[T] { return operators.NewTag[T](id) }

// Process gives every record to a function that may emit anything on any output.
func Process[I, O any](s Stream[I], newSpec func() ProcessSpec[I, O], opts ...Option) Stream[O] {
	var sides Sides
	err := missing("the function that makes the spec", newSpec == nil)
	if err == nil {
		spec := newSpec()
		sides, err = spec.Sides, missing("Process", spec.Process == nil)
	}
	return processThen[O](s.job(), func() operators.Operator { return operators.NewProcess(newSpec()) },
		"", err, sides, []feed{{0, s.up}}, opts)
}

// ProcessKeyed gives every record to a function that keeps state and timers for the record's key.
func ProcessKeyed[K comparable, I, O any](k Keyed[K, I], newSpec func() KeyedProcessSpec[K, I, O], opts ...Option) Stream[O] {
	var sides Sides
	err := firstOf(k.err, missing("the function that makes the spec", newSpec == nil))
	if err == nil {
		spec := newSpec()
		sides, err = spec.Sides, missing("Process", spec.Process == nil)
	}
	return processThen[O](k.in.job(), func() operators.Operator {
		spec := newSpec()
		spec.Key, spec.KeyType = k.key, k.typ
		return operators.NewKeyedProcess(spec)
	}, keyFormat(k), err, sides, []feed{{0, k.in.up}}, opts)
}

// Connected is two streams for one step that takes both.
type Connected[A, B any] struct {
	a Stream[A]
	b Stream[B]
}

// Connect joins two streams of different types, to be given to CoProcess.
func Connect[A, B any](a Stream[A], b Stream[B]) Connected[A, B] { return Connected[A, B]{a, b} }

// KeyedConnected is two keyed streams for one step that takes both.
type KeyedConnected[K comparable, A, B any] struct {
	a Keyed[K, A]
	b Keyed[K, B]
}

// ConnectKeyed joins two keyed streams, to be given to CoProcessKeyed: records of the same key meet in one subtask.
func ConnectKeyed[K comparable, A, B any](a Keyed[K, A], b Keyed[K, B]) KeyedConnected[K, A, B] {
	return KeyedConnected[K, A, B]{a, b}
}

// CoProcess gives the records of two streams to functions that may share what they know.
func CoProcess[A, B, O any](c Connected[A, B], newSpec func() CoProcessSpec[A, B, O], opts ...Option) Stream[O] {
	var sides Sides
	err := missing("the function that makes the spec", newSpec == nil)
	if err == nil {
		spec := newSpec()
		sides = spec.Sides
		err = firstOf(missing("ProcessA", spec.ProcessA == nil), missing("ProcessB", spec.ProcessB == nil))
	}
	return processThen[O](c.a.job(), func() operators.Operator { return operators.NewCoProcess(newSpec()) },
		"", err, sides, []feed{{0, c.a.up}, {1, c.b.up}}, opts)
}

// CoProcessKeyed gives the records of two keyed streams to functions that share the key's state and timers.
func CoProcessKeyed[K comparable, A, B, O any](c KeyedConnected[K, A, B], newSpec func() KeyedCoProcessSpec[K, A, B, O], opts ...Option) Stream[O] {
	var sides Sides
	err := firstOf(c.a.err, c.b.err, missing("the function that makes the spec", newSpec == nil))
	if err == nil {
		spec := newSpec()
		sides = spec.Sides
		err = firstOf(missing("ProcessA", spec.ProcessA == nil), missing("ProcessB", spec.ProcessB == nil))
	}
	return processThen[O](c.a.in.job(), func() operators.Operator {
		spec := newSpec()
		spec.KeyA, spec.KeyB, spec.KeyType = c.a.key, c.b.key, c.a.typ
		return operators.NewKeyedCoProcess(spec)
	}, keyFormat(c.a), err, sides, []feed{{0, c.a.in.up}, {1, c.b.in.up}}, opts)
}

// SideOutput is what the step that s comes from emits to tag. s must come straight from a step that lists tag in its
// Sides.
func SideOutput[T, O any](s Stream[O], tag Tag[T]) Stream[T] { return sideOf(s, "SideOutput", tag) }

// processThen adds a step of process functions.
func processThen[O any](j *Job, make func() operators.Operator, format string, err error, sides Sides, inputs []feed, opts []Option) Stream[O] {
	err = firstOf(err, checkSides(sides))
	n := j.add(step{kind: "process", make: make, check: check(err), format: format, inputs: inputs}, opts)
	j.sides[n] = sides
	return streamOf[O](j, n, 0)
}

func keyFormat[K comparable, T any](k Keyed[K, T]) string {
	if k.err != nil {
		return ""
	}
	return "by " + k.typ.Codec.Fingerprint()
}

func checkSides(sides Sides) error {
	seen := map[string]bool{}
	for i, s := range sides {
		switch {
		case s == nil || s.ID() == "":
			return fmt.Errorf("side output %d has no name: make its tag with NewTag", i+1)
		case seen[s.ID()]:
			return fmt.Errorf("side output %q is listed twice", s.ID())
		}
		seen[s.ID()] = true
	}
	return nil
}

// sideOf finds the output behind tag. asked is the function that was called, for errors.
func sideOf[T, O any](s Stream[O], asked string, tag Tag[T]) Stream[T] {
	j := s.job()
	if len(s.up.outputs) != 1 {
		j.fail(asked, errors.New("a union has no side outputs: take them from the steps before it"))
		return Stream[T](s)
	}
	n := s.up.outputs[0].node
	for i, side := range j.sides[n] {
		if side == nil || side.ID() != tag.ID() {
			continue
		}
		if side.Type() != tag.Type() {
			j.fail(n.Name, fmt.Errorf("%s: side output %q has records of type %v, not %v", asked, tag.ID(), side.Type(), tag.Type()))
		}
		return streamOf[T](j, n, i+1)
	}
	j.fail(n.Name, fmt.Errorf("%s: the step has no side output %q", asked, tag.ID()))
	return streamOf[T](j, n, 0)
}
