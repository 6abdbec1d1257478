package auction

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/weirstream/weir/stream"
)

// Golden events: results written by other machines and other releases must stay comparable.
func TestFirstEvents(t *testing.T) {
	x := Nexmark{Seed: 1, EventRate: 1000}
	want := []string{
		`0 {ID:1000 Name:Tony City:Portland State:OR Time:1970-01-01T00:00:00.000Z}`,
		`1 {ID:1000 Seller:1000 Category:10 Initial:60144888 Reserve:143589967 Time:1970-01-01T00:00:00.001Z Expires:1970-01-01T00:00:00.799Z}`,
		`2 {ID:1001 Seller:1000 Category:12 Initial:814406 Reserve:7364418 Time:1970-01-01T00:00:00.002Z Expires:1970-01-01T00:00:19.463Z}`,
		`3 {ID:1002 Seller:1000 Category:13 Initial:7232890 Reserve:99425181 Time:1970-01-01T00:00:00.003Z Expires:1970-01-01T00:00:03.757Z}`,
		`4 {Auction:1000 Bidder:1009 Price:3014791 Time:1970-01-01T00:00:00.004Z}`,
		`5 {Auction:1000 Bidder:1001 Price:95980014 Time:1970-01-01T00:00:00.005Z}`,
		`6 {Auction:1000 Bidder:1001 Price:643811 Time:1970-01-01T00:00:00.006Z}`,
	}
	for n, w := range want {
		var e Event
		at := x.Fill(int64(n), &e)
		if got := fmt.Sprintf("%d %+v", at, e.of()); got != w {
			t.Errorf("event %d\n got %s\nwant %s", n, got, w)
		}
	}
}

func (e *Event) of() any {
	switch e.Kind {
	case PersonEvent:
		return e.Person
	case AuctionEvent:
		return e.Auction
	}
	return e.Bid
}

func TestProportions(t *testing.T) {
	const events = 100_000
	x := Nexmark{Seed: 7, EventRate: 10_000}
	kinds := map[Kind]int{}
	hotAuction, hotBidder, last := 0, 0, stream.Time(0)
	for n := range int64(events) {
		var e Event
		at := x.Fill(n, &e)
		if at < last || at != x.Time(n) || at != stream.Time(n*1000/x.EventRate) {
			t.Fatalf("event %d is of %d, after one of %d", n, at, last)
		}
		last = at
		kinds[e.Kind]++
		switch e.Kind {
		case PersonEvent:
			if want := firstID + n/50; e.Person.ID != want {
				t.Fatalf("event %d: person %d, want %d", n, e.Person.ID, want)
			}
		case AuctionEvent:
			if want := firstID + n/50*3 + n%50 - 1; e.Auction.ID != want {
				t.Fatalf("event %d: auction %d, want %d", n, e.Auction.ID, want)
			}
			if e.Auction.Expires <= at || e.Auction.Reserve <= e.Auction.Initial {
				t.Fatalf("event %d: %+v", n, e.Auction)
			}
		case BidEvent:
			newest := firstID + n/50*3 + 2
			if e.Bid.Auction < newest-openAuctions || e.Bid.Auction > newest+lead || e.Bid.Price < 100 || e.Bid.Price >= 100_000_000 {
				t.Fatalf("event %d: %+v with auction %d being the newest", n, e.Bid, newest)
			}
			if e.Bid.Auction == firstID+(newest-firstID)/100*100 {
				hotAuction++
			}
			if e.Bid.Bidder == firstID+n/50/100*100+1 {
				hotBidder++
			}
		}
		if IsBid(n) != (e.Kind == BidEvent) {
			t.Fatalf("IsBid(%d) = %v, but it is of kind %d", n, IsBid(n), e.Kind)
		}
	}
	if kinds[PersonEvent]*50 != events || kinds[AuctionEvent]*50 != 3*events || kinds[BidEvent]*50 != 46*events {
		t.Errorf("kinds %v", kinds)
	}
	// A little over 1/2 and 3/4, since the others hit the hot ones too.
	bids := kinds[BidEvent]
	if share := float64(hotAuction) / float64(bids); share < 0.49 || share > 0.53 {
		t.Errorf("%.3f of the bids are for hot auctions", share)
	}
	if share := float64(hotBidder) / float64(bids); share < 0.74 || share > 0.77 {
		t.Errorf("%.3f of the bids are of hot bidders", share)
	}
}

func TestSeeds(t *testing.T) {
	seen := map[Event]bool{}
	for seed := range uint64(20) {
		var e Event
		Nexmark{Seed: seed, EventRate: 1000}.Fill(50, &e)
		e.Person.Time = 0
		seen[e] = true
	}
	if len(seen) < 10 {
		t.Errorf("20 seeds give %d different persons", len(seen))
	}
}

// Every window is computed anew here, from all bids in it.
func TestPlain(t *testing.T) {
	c := Config{Events: 3000, EventRate: 100, Seed: 3, Splits: 1, Output: "out"}
	got, bids := Plain(c)
	x := c.nexmark()
	var want []Hottest
	for end := stream.Time(2000); end <= 40_000; end += 2000 {
		var in []Hottest
		for n := range c.Events {
			var e Event
			if at := x.Fill(n, &e); e.Kind != BidEvent || at < end-10_000 || at >= end {
				continue
			}
			i := slices.IndexFunc(in, func(h Hottest) bool { return h.Auction == e.Bid.Auction })
			if i < 0 {
				i = len(in)
				in = append(in, Hottest{Start: end - 10_000, End: end, Auction: e.Bid.Auction})
			}
			in[i].Bids++
			in[i].Price = max(in[i].Price, e.Bid.Price)
		}
		slices.SortFunc(in, func(a, b Hottest) int {
			if a.Bids != b.Bids {
				return int(b.Bids - a.Bids)
			}
			return int(a.Auction - b.Auction)
		})
		for _, h := range in {
			if h.Bids == in[0].Bids {
				want = append(want, h)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("Plain\n got %v\nwant %v", got, want)
	}
	if bids != 3000/50*46 {
		t.Errorf("%d bids", bids)
	}
}

func TestTop(t *testing.T) {
	a, b, c := Hottest{Auction: 3, Bids: 2}, Hottest{Auction: 1, Bids: 5}, Hottest{Auction: 2, Bids: 5}
	for _, order := range [][]Hottest{{a, b, c}, {c, b, a}, {c, a, b}} {
		var all top
		for i := range order {
			all.add(&order[i])
		}
		if got := all.sorted().Auctions; !slices.Equal(got, []Hottest{b, c}) {
			t.Errorf("%v gives %v", order, got)
		}
	}
}

func BenchmarkFill(b *testing.B) {
	b.ReportAllocs()
	x := Nexmark{Seed: 1, EventRate: 10_000}
	var e Event
	for n := range int64(b.N) {
		e = Event{}
		x.Fill(n, &e)
	}
}

func TestVerify(t *testing.T) {
	c := Config{Events: 20_000, EventRate: 1000, Seed: 1, Splits: 2, Output: t.TempDir()}
	if _, err := Verify(c); err == nil || !strings.Contains(err.Error(), "0 found") {
		t.Errorf("without output: %v", err)
	}
	want, _ := Plain(c)
	var text []byte
	for _, h := range want {
		line, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, line...), '\n')
	}
	if err := os.WriteFile(filepath.Join(c.Output, "part-0.jsonl"), text, 0o666); err != nil {
		t.Fatal(err)
	}
	if verdict, err := Verify(c); err != nil || verdict != "equal: 14 windows, 18400 bids" {
		t.Errorf("%s, %v", verdict, err)
	}
	c.Seed++
	if verdict, err := Verify(c); err == nil || !strings.Contains(err.Error(), "not expected (first: {Start:") {
		t.Errorf("with another seed: %s, %v", verdict, err)
	}
	c.Events = 0
	if _, err := Verify(c); err == nil || !strings.Contains(err.Error(), "without end") {
		t.Errorf("without end: %v", err)
	}
}

func TestBuild(t *testing.T) {
	c := Config{Events: 10, Rate: 5, EventRate: 1000, Splits: 2, Output: t.TempDir()}
	job, err := Build(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := job.Build(); err != nil {
		t.Error(err)
	}
	c.Output = ""
	if _, err := Build(c); err == nil || !strings.Contains(err.Error(), "output") {
		t.Errorf("without output: %v", err)
	}
}
