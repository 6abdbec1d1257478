package timeservice

import "github.com/weirstream/weir/flow"

// Merger makes one watermark of several inputs': the least of those that are not idle. It never goes back.
//
// Made by NewMerger it follows the rules of Flink's StatusWatermarkValve, which are those of a subtask's input channels:
//
//   - Every input starts active, at the watermark given to NewMerger.
//   - An input that turns idle is left out of the minimum, which may move the merged watermark on.
//   - When the last active input turns idle, nobody can hold the others back any more: if that input was the one that did
//     (it stands exactly at the merged watermark), the merged watermark jumps to the greatest watermark of any input. The
//     result is then idle.
//   - An input that turns active again while it stands behind the merged watermark counts as active, but has no say in the
//     minimum until its own watermark has caught up. Otherwise one that comes back would stop event time for all.
//   - A watermark that is not greater than the input's last one changes nothing.
//
// The splits of a source (SplitWatermarks) are merged with two differences, again Flink's: there is no jump when all are
// idle, and an input behind the merged watermark does hold it back, so that the records of a split that was just added are
// no later than they have to be.
type Merger struct {
	inputs   []mergerInput
	free     []int // of inputs that were removed, to be used again
	active   int   // inputs that are present and not idle
	present  int
	current  flow.Time
	told     flow.Watermark // what the last Set, Add or Remove returned
	channels bool           // the rules of channels, not of splits
	// tree is a binary tree over the inputs in an array: node i has children 2i and 2i+1, leaf is half+input. A node holds
	// the least watermark below it of those with a say, MaxTime if there is none, so that Set costs log n.
	tree []flow.Time
	half int
	say  int // inputs with a say in the minimum
}

type mergerInput struct {
	watermark flow.Time
	state     inputState
}

type inputState uint8

const (
	inputGone inputState = iota
	inputIdle
	inputBehind // active, but without a say until it has caught up
	inputAligned
)

// NewMerger makes a merger of n input channels that all stand at from: flow.MinTime, or the watermark that was restored.
func NewMerger(n int, from flow.Time) *Merger {
	m := newMerger(from)
	m.channels = true
	m.grow(n)
	for range n {
		m.add(from)
	}
	m.told = m.Current()
	return m
}

// newMerger makes a merger for splits, without any yet.
func newMerger(from flow.Time) *Merger {
	return &Merger{current: from, told: flow.Watermark{Time: from}}
}

// Set says that input i has come to t and whether it is idle. It returns the merged watermark, and whether that differs
// from what was returned the last time. While i is at or beyond t already, t is ignored.
func (m *Merger) Set(i int, t flow.Time, idle bool) (merged flow.Time, allIdle, changed bool) {
	m.set(i, t, idle)
	return m.tell()
}

// Active says that input i has something to say again: a record ends idleness as a watermark does. It is cheap to call for
// an input that is active.
func (m *Merger) Active(i int) {
	if m.inputs[i].state == inputIdle {
		m.set(i, flow.MinTime, false)
	}
}

// Remove takes input i out for good: its end must not hold back the others. The result is as of Set.
func (m *Merger) Remove(i int) (merged flow.Time, allIdle, changed bool) {
	if m.inputs[i].state != inputGone {
		m.set(i, flow.MinTime, true)
		m.inputs[i] = mergerInput{}
		m.present--
		m.free = append(m.free, i)
	}
	return m.tell()
}

// Current is the merged watermark. It is idle when there are inputs and all are idle.
func (m *Merger) Current() flow.Watermark {
	return flow.Watermark{Time: m.current, Idle: m.present > 0 && m.active == 0}
}

func (m *Merger) tell() (flow.Time, bool, bool) {
	now := m.Current()
	changed := now != m.told
	m.told = now
	return now.Time, now.Idle, changed
}

// add adds an active input that stands at t and returns its number.
func (m *Merger) add(t flow.Time) int {
	var i int
	if n := len(m.free); n > 0 {
		i, m.free = m.free[n-1], m.free[:n-1]
	} else {
		i = len(m.inputs)
		m.inputs = append(m.inputs, mergerInput{})
		m.grow(len(m.inputs))
	}
	m.inputs[i] = mergerInput{watermark: t, state: inputAligned}
	m.present++
	m.active++
	m.say++
	m.leaf(i, t)
	return i
}

// grow makes room in the tree for n inputs.
func (m *Merger) grow(n int) {
	if n <= m.half {
		return
	}
	half := max(1, m.half)
	for half < n {
		half *= 2
	}
	tree := make([]flow.Time, 2*half)
	for i := range tree {
		tree[i] = flow.MaxTime
	}
	copy(tree[half:], m.tree[m.half:])
	for i := half - 1; i > 0; i-- {
		tree[i] = min(tree[2*i], tree[2*i+1])
	}
	m.tree, m.half = tree, half
}

// leaf writes the leaf of input i and what follows from it.
func (m *Merger) leaf(i int, t flow.Time) {
	n := m.half + i
	m.tree[n] = t
	for n > 1 {
		n /= 2
		least := min(m.tree[2*n], m.tree[2*n+1])
		if m.tree[n] == least {
			return
		}
		m.tree[n] = least
	}
}

func (m *Merger) set(i int, t flow.Time, idle bool) {
	in := &m.inputs[i]
	if in.state == inputGone {
		return
	}
	in.watermark = max(in.watermark, t)
	was := in.state
	switch {
	case idle:
		in.state = inputIdle
	case m.channels && was != inputAligned && in.watermark < m.current:
		in.state = inputBehind
	default:
		in.state = inputAligned
	}
	m.count(was, -1)
	m.count(in.state, +1)
	switch {
	case in.state == inputAligned:
		m.leaf(i, in.watermark)
	case was == inputAligned:
		m.leaf(i, flow.MaxTime)
	}
	if m.active > 0 {
		if m.say > 0 {
			m.current = max(m.current, m.tree[1])
		}
	} else if m.channels && was != inputIdle && in.watermark == m.current {
		for _, other := range m.inputs {
			if other.state != inputGone {
				m.current = max(m.current, other.watermark)
			}
		}
	}
}

func (m *Merger) count(s inputState, d int) {
	switch s {
	case inputAligned:
		m.say += d
		m.active += d
	case inputBehind:
		m.active += d
	}
}
