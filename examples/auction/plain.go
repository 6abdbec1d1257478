package auction

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/weirstream/weir/examples/verify"
	"github.com/weirstream/weir/stream"
)

// Plain computes what the job writes, without the engine: one loop over the events, which come in the order of their
// times. bids is the number of bids.
func Plain(c Config) (hottest []Hottest, bids int64) {
	x := c.nexmark()
	open := map[stream.Time]map[int64]tally{} // by the window's end
	firstEnd := slide(0)                      // of the windows that are open
	var e Event                               // a bid sets all of its fields that are used here
	for n := range c.Events {
		if !IsBid(n) {
			continue
		}
		t := x.Fill(n, &e)
		bids++
		for ; firstEnd <= t; firstEnd += slideMillis {
			hottest = append(hottest, pick(firstEnd, open[firstEnd])...)
			delete(open, firstEnd)
		}
		for end := slide(t); end <= t+sizeMillis; end += slideMillis {
			w := open[end]
			if w == nil {
				w = map[int64]tally{}
				open[end] = w
			}
			of := w[e.Bid.Auction]
			w[e.Bid.Auction] = tally{of.Bids + 1, max(of.Price, e.Bid.Price)}
		}
	}
	for ; len(open) > 0; firstEnd += slideMillis {
		hottest = append(hottest, pick(firstEnd, open[firstEnd])...)
		delete(open, firstEnd)
	}
	return hottest, bids
}

// slide is the end of the first window with t in it; t is not negative, and the windows' size is a multiple of the slide.
func slide(t stream.Time) stream.Time { return t/slideMillis*slideMillis + slideMillis }

// pick finds the auctions with the most bids.
func pick(end stream.Time, w map[int64]tally) []Hottest {
	var best []Hottest
	for auction, of := range w {
		if len(best) > 0 && of.Bids > best[0].Bids {
			best = best[:0]
		}
		if len(best) == 0 || of.Bids == best[0].Bids {
			best = append(best, Hottest{Start: end - sizeMillis, End: end, Auction: auction, Bids: of.Bids, Price: of.Price})
		}
	}
	slices.SortFunc(best, func(a, b Hottest) int { return cmp.Compare(a.Auction, b.Auction) })
	return best
}

// Verify compares what the job has written to c.Output with Plain. Its error shows the first differences.
func Verify(c Config) (verdict string, err error) {
	if err := c.check(); err != nil {
		return "", err
	}
	if c.Events == 0 {
		return "", fmt.Errorf("auction: events: 0 is without end, and there is nothing to compare with")
	}
	want, bids := Plain(c)
	if err := verify.Same(c.Output, want); err != nil {
		return "", fmt.Errorf("auction: %w", err)
	}
	windows := 0
	for i := range want {
		if i == 0 || want[i].End != want[i-1].End {
			windows++
		}
	}
	return fmt.Sprintf("equal: %d windows, %d bids", windows, bids), nil
}
