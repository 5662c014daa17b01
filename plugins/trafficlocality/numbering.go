package trafficlocality

// numbering gives each key in use a number, from 0 on. A number that is no
// longer used goes to another key, so that slices by number stay as short as
// the most keys that were in use together.
type numbering[K comparable] struct {
	numbers map[K]int32
	keys    []K     // by number
	users   []int32 // by number
	free    []int32
}

func newNumbering[K comparable]() numbering[K] {
	return numbering[K]{numbers: map[K]int32{}}
}

// use returns the number of a key, which has one more user from now on.
func (n *numbering[K]) use(key K) int32 {
	number, ok := n.numbers[key]
	if !ok {
		number = n.unused()
		n.numbers[key] = number
		n.keys[number] = key
	}
	n.users[number]++
	return number
}

func (n *numbering[K]) unused() int32 {
	if last := len(n.free) - 1; last >= 0 {
		number := n.free[last]
		n.free = n.free[:last]
		return number
	}
	var none K
	n.keys = append(n.keys, none)
	n.users = append(n.users, 0)
	return int32(len(n.keys) - 1)
}

// release takes one user from a number.
func (n *numbering[K]) release(number int32) {
	n.users[number]--
	if n.users[number] > 0 {
		return
	}
	var none K
	delete(n.numbers, n.keys[number])
	n.keys[number] = none
	n.free = append(n.free, number)
}

// size is one more than the highest number that was ever in use.
func (n *numbering[K]) size() int { return len(n.keys) }
