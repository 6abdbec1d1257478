package auction

import (
	"math/bits"

	"github.com/weirstream/weir/stream"
)

// Kind says which field of an Event means something.
type Kind uint8

// The kinds of events. Of every 50, in this order, 1 is a person, 3 are auctions and 46 are bids.
const (
	PersonEvent Kind = iota
	AuctionEvent
	BidEvent
)

// Event is a person who signs up, an auction that is opened, or a bid.
type Event struct {
	Kind    Kind
	Person  Person
	Auction Auction
	Bid     Bid
}

// Person may sell and bid.
type Person struct {
	ID                int64
	Name, City, State string
	Time              stream.Time
}

// Auction is open from Time to Expires. Prices are in cents.
type Auction struct {
	ID, Seller, Category int64
	Initial, Reserve     int64
	Time, Expires        stream.Time
}

// Bid is an offer of Price cents.
type Bid struct {
	Auction, Bidder, Price int64
	Time                   stream.Time
}

// The proportions and numbers of the Nexmark benchmark.
const (
	perEpoch        = 50 // events
	personsPerEpoch = 1
	auctionsPer     = 3 // per epoch

	firstID       = 1000 // of persons and of auctions
	firstCategory = 10
	categories    = 5

	openAuctions  = 100  // auctions that may get a bid
	activePersons = 1000 // persons who may bid or sell
	lead          = 10   // ids beyond the newest one that are drawn too

	hotAuctionRatio = 2   // 1 of 2 bids goes to the hot auction
	hotPersonRatio  = 4   // 3 of 4 bids and sales are of the hot person
	hotEvery        = 100 // ids from one hot auction or person to the next

	maxOpenMillis = 20_000 // longest life of an auction
)

var (
	firstNames = [...]string{"Ada", "Barbara", "Edsger", "Frances", "Grace", "Ken", "Leslie", "Niklaus", "Radia", "Robin", "Tony"}
	cities     = [...]string{"Phoenix", "Palo Alto", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"}
	states     = [...]string{"AZ", "CA", "ID", "OR", "OR", "WA", "WA", "WA", "WY"} // of the cities
)

// Nexmark makes the events of the Nexmark benchmark. An event is a pure function of Seed and its number.
type Nexmark struct {
	Seed uint64
	// EventRate is how many events fall into one second of event time.
	EventRate int64
}

// Time is the event time of event n.
func (x Nexmark) Time(n int64) stream.Time {
	second, rest := n/x.EventRate, n%x.EventRate // n*1000 may be too large
	return stream.Time(second*1000 + rest*1000/x.EventRate)
}

// Fill makes event n in *e, which must be zero, and returns its time.
func (x Nexmark) Fill(n int64, e *Event) stream.Time {
	r := newDraw(x.Seed + uint64(n))
	t := x.Time(n)
	switch at := n % perEpoch; {
	case at < personsPerEpoch:
		e.Kind = PersonEvent
		e.Person = r.person(n, t)
	case at < personsPerEpoch+auctionsPer:
		e.Kind = AuctionEvent
		e.Auction = r.auction(n, t)
	default:
		e.Kind = BidEvent
		e.Bid = r.bid(n, t)
	}
	return t
}

// IsBid reports whether event n is a bid.
func IsBid(n int64) bool { return n%perEpoch >= personsPerEpoch+auctionsPer }

// newestPerson counts the persons before event n, or up to it if it is one, from 0.
func newestPerson(n int64) int64 { return n / perEpoch }

// newestAuction is the same of auctions; -1 before the first.
func newestAuction(n int64) int64 {
	epoch, at := n/perEpoch, n%perEpoch
	return epoch*auctionsPer + min(max(at-personsPerEpoch, -1), auctionsPer-1)
}

// draw makes the random numbers of one event, by splitmix64.
type draw uint64

const golden = 0x9E3779B97F4A7C15

func newDraw(seed uint64) draw {
	r := draw(seed)
	return draw(r.next()) // neighbours' numbers must not be alike
}

func (r *draw) next() uint64 {
	*r += golden
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below is a number in [0, n).
func (r *draw) below(n int64) int64 {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int64(hi)
}

// price is a number of cents between 1 and a million dollars, each power of ten being as likely as the others. Integers
// only: every machine must make the same.
func (r *draw) price() int64 {
	least := int64(100)
	for range r.below(6) {
		least *= 10
	}
	return least + r.below(9*least)
}

func (r *draw) person(n int64, t stream.Time) Person {
	city := r.below(int64(len(cities)))
	return Person{
		ID:    firstID + newestPerson(n),
		Name:  firstNames[r.below(int64(len(firstNames)))],
		City:  cities[city],
		State: states[city],
		Time:  t,
	}
}

func (r *draw) auction(n int64, t stream.Time) Auction {
	a := Auction{ID: firstID + newestAuction(n), Seller: firstID + r.somebody(n, 0), Time: t}
	a.Category = firstCategory + r.below(categories)
	a.Initial = r.price()
	a.Reserve = a.Initial + r.price()
	a.Expires = t + 1 + stream.Time(r.below(maxOpenMillis))
	return a
}

func (r *draw) bid(n int64, t stream.Time) Bid {
	newest := newestAuction(n)
	b := Bid{Time: t}
	if r.below(hotAuctionRatio) > 0 {
		b.Auction = firstID + newest/hotEvery*hotEvery
	} else {
		oldest := max(newest-openAuctions, 0)
		b.Auction = firstID + oldest + r.below(newest-oldest+1+lead)
	}
	b.Bidder = firstID + r.somebody(n, 1)
	b.Price = r.price()
	return b
}

// somebody is the number of a person: mostly the hot one, whose number is offset by hot so that hot sellers are not the
// hot bidders.
func (r *draw) somebody(n, hot int64) int64 {
	newest := newestPerson(n)
	if r.below(hotPersonRatio) > 0 {
		return newest/hotEvery*hotEvery + hot
	}
	active := min(newest+1, activePersons)
	return newest + 1 - active + r.below(active+lead)
}
