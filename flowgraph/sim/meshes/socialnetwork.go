package meshes

import (
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// The social network of github.com/delimitrou/DeathStarBench (Gan et al., "An
// Open-Source Benchmark Suite for Microservices and Their Hardware-Software
// Implications for Cloud & Edge Systems", ASPLOS 2019): its services, the calls
// of its traces and code, and its mixed workload.
const (
	// socialRate is the users' requests per second, of which readHome,
	// readUser and compose are the shares.
	socialRate = 1000
	readHome   = 0.6
	readUser   = 0.3
	compose    = 0.1
	// miss is the share of look-ups that a cache cannot answer. It is assumed.
	miss = 0.1
	// post is the bytes of a post: 256 characters, 3.5 links of 72 and 3.5
	// mentions of 15 on the average, and what belongs to it.
	post = 1000
	// timeline is how many posts are read at once.
	timeline = 10
	// socialHeader is what Thrift, or a cache's protocol, adds each way. It is
	// estimated.
	socialHeader = 100
	// socialPage is what is around the posts in an answer to a user. It is estimated.
	socialPage = 1000
)

// SocialNetwork is a social network of 25 workloads: 12 services, 3 Redis, 4
// memcached and 6 MongoDB. Three of the caches and databases have no traffic, as
// this mix of requests does not need them. Size counts copies, each in a
// namespace of its own.
func SocialNetwork(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c, err := copiesOf(socialNetwork(), rng, size)
	if err != nil {
		return nil, err
	}
	fitNodes(c)
	return c, nil
}

// socialServices asks for what is usual for such programs; the benchmark sets no
// requests. The services on the way of all reads have three replicas.
func socialServices() []service {
	var services []service
	for _, name := range []string{"nginx-thrift", "home-timeline-service", "user-timeline-service", "post-storage-service"} {
		services = append(services, service{name, 3, 1000, 512})
	}
	for _, name := range []string{
		"compose-post-service", "text-service", "user-service", "media-service", "unique-id-service",
		"url-shorten-service", "user-mention-service", "social-graph-service",
	} {
		services = append(services, service{name, 1, 1000, 512})
	}
	for _, name := range []string{
		"home-timeline-redis", "user-timeline-redis", "social-graph-redis",
		"post-storage-memcached", "user-memcached", "url-shorten-memcached", "media-memcached",
	} {
		services = append(services, service{name, 1, 1000, 2048})
	}
	for _, name := range []string{
		"user-timeline-mongodb", "post-storage-mongodb", "social-graph-mongodb", "url-shorten-mongodb", "user-mongodb", "media-mongodb",
	} {
		services = append(services, service{name, 1, 2000, 4096})
	}
	return services
}

func socialNetwork() *app {
	var calls []call
	rpc := func(from, to string, times, request, response float64) {
		calls = append(calls, call{from: from, to: to, times: times, request: socialHeader + request, response: socialHeader + response})
	}
	store := func(from, to string, times, request, response float64) {
		rpc(from, to, times, request, response)
		calls[len(calls)-1].tcp = true
	}
	rpc("nginx-thrift", "home-timeline-service.read", readHome, 0, timeline*post+socialPage)
	rpc("nginx-thrift", "user-timeline-service.read", readUser, 0, timeline*post+socialPage)
	rpc("nginx-thrift", "compose-post-service", compose, post, 0)

	rpc("compose-post-service", "text-service", 1, 600, 800)
	rpc("compose-post-service", "user-service", 1, 50, 50)
	rpc("compose-post-service", "media-service", 1, 80, 100)
	rpc("compose-post-service", "unique-id-service", 1, 10, 10)
	rpc("compose-post-service", "post-storage-service.write", 1, post, 0)
	rpc("compose-post-service", "user-timeline-service.write", 1, 30, 0)
	rpc("compose-post-service", "home-timeline-service.write", 1, 60, 0)
	rpc("text-service", "url-shorten-service", 1, 250, 450)
	rpc("text-service", "user-mention-service", 1, 60, 100)
	store("url-shorten-service", "url-shorten-mongodb", 1, 450, 50)
	store("user-mention-service", "user-memcached", 1, 60, 60)
	store("user-mention-service", "user-mongodb", miss, 100, 200)
	rpc("home-timeline-service.write", "social-graph-service", 1, 10, 300)
	store("social-graph-service", "social-graph-redis", 1, 20, 300)
	store("social-graph-service", "social-graph-mongodb", miss, 50, 600)
	store("home-timeline-service.write", "home-timeline-redis", 1, 1000, 100) // to all followers
	store("user-timeline-service.write", "user-timeline-mongodb", 1, 100, 50)
	store("user-timeline-service.write", "user-timeline-redis", 1, 50, 10)
	store("post-storage-service.write", "post-storage-mongodb", 1, post, 50)

	store("home-timeline-service.read", "home-timeline-redis", 1, 40, timeline*20)
	store("user-timeline-service.read", "user-timeline-redis", 1, 40, timeline*20)
	store("user-timeline-service.read", "user-timeline-mongodb", miss, 100, timeline*40)
	rpc("home-timeline-service.read", "post-storage-service.read", 1, timeline*8, timeline*post)
	rpc("user-timeline-service.read", "post-storage-service.read", 1, timeline*8, timeline*post)
	store("post-storage-service.read", "post-storage-memcached", 1, timeline*20, timeline*post)
	store("post-storage-service.read", "post-storage-mongodb", miss, timeline*20, timeline*post)
	return &app{name: "social-network", services: socialServices(), entry: map[string]float64{"nginx-thrift": socialRate}, calls: calls}
}
