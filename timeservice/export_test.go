package timeservice

// Room is the size of the arena.
func (ts *Timers[K, N]) Room() int { return len(ts.nodes) }
