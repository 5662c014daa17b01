package meshes

import (
	"math/rand/v2"

	"github.com/vicinity-sched/vicinity/flowgraph/cluster"
)

// The web shop of github.com/GoogleCloudPlatform/microservices-demo: services,
// edges, calls per page and the users' behaviour follow its code; its shopping
// assistant, which is not deployed by default, is left out. No sizes are
// published: they are estimated from the fields of the messages, plus about 100
// bytes of headers each way.
const (
	// boutiqueRate is the pages per second that the load generator fetches.
	boutiqueRate = 100
	// boutiquePages is how many pages 19 tasks of a user fetch, by the weights in
	// the load generator: the redirects after a change of currency (to the home
	// page) and after an addition to the cart (to the cart) included.
	boutiquePages = 3 + 2 + 13 + 3 + 6 + 1
	// boutiqueProducts is the length of the catalogue, each of which has a price
	// to convert on the home page.
	boutiqueProducts = 9
	// boutiqueRecommendations is how many the recommendation service returns; the
	// frontend looks up each.
	boutiqueRecommendations = 5
	// boutiqueItems is a mean length of carts: 3 additions for each checkout.
	boutiqueItems = 2
	// boutiqueScale is by how much the pods here ask for more CPU and memory than
	// in the shop's manifests, which are made for ten users.
	boutiqueScale = 10
)

// OnlineBoutique is a shop of 12 workloads: 10 services, their Redis and the load
// generator. Size counts copies, each in a namespace of its own. The busiest
// services have two or three replicas.
func OnlineBoutique(rng *rand.Rand, size int) (*cluster.Cluster, error) {
	c, err := copiesOf(onlineBoutique(), rng, size)
	if err != nil {
		return nil, err
	}
	fitNodes(c)
	return c, nil
}

func onlineBoutique() *app {
	a := &app{
		name:  "online-boutique",
		entry: map[string]float64{"loadgenerator": boutiqueRate},
		services: []service{
			{"loadgenerator", 1, 300, 256},
			{"frontend", 3, 100, 64},
			{"checkoutservice", 1, 100, 64},
			{"recommendationservice", 2, 100, 220},
			{"adservice", 1, 200, 180},
			{"cartservice", 2, 200, 64},
			{"currencyservice", 2, 100, 64},
			{"emailservice", 1, 100, 64},
			{"paymentservice", 1, 100, 64},
			{"productcatalogservice", 2, 100, 64},
			{"shippingservice", 1, 100, 64},
			{"redis-cart", 1, 70, 200},
		},
	}
	for i := range a.services {
		a.services[i].milliCPU *= boutiqueScale
		a.services[i].mebibyte *= boutiqueScale
	}
	for _, page := range []struct {
		name  string
		count float64 // of boutiquePages
		bytes float64
	}{
		{"home", 3, 10_000}, {"setCurrency", 2, 300}, {"product", 13, 9_000},
		{"addToCart", 3, 300}, {"cart", 6, 12_000}, {"order", 1, 8_000},
	} {
		a.calls = append(a.calls, call{from: "loadgenerator", to: "frontend." + page.name, times: page.count / boutiquePages, request: 500, response: page.bytes})
	}
	a.calls = append(a.calls, frontendCalls()...)
	a.calls = append(a.calls, checkoutCalls()...)
	a.calls = append(a.calls,
		listProducts("recommendationservice", 1),
		call{from: "cartservice.get", to: "redis-cart", times: 1, request: 100, response: 150, tcp: true},
		call{from: "cartservice.add", to: "redis-cart", times: 2, request: 130, response: 80, tcp: true}, // reads and writes
		call{from: "cartservice.empty", to: "redis-cart", times: 1, request: 110, response: 20, tcp: true},
	)
	return a
}

// frontendCalls is what the frontend does for each page.
func frontendCalls() []call {
	calls := []call{
		listProducts("frontend.home", 1),
		convert("frontend.home", boutiqueProducts),
		advertisement("frontend.home"),
		getProduct("frontend.product", 1+boutiqueRecommendations),
		convert("frontend.product", 1),
		advertisement("frontend.product"),
		getProduct("frontend.addToCart", 1),
		{from: "frontend.addToCart", to: "cartservice.add", times: 1, request: 170, response: 100},
		getProduct("frontend.cart", boutiqueItems+boutiqueRecommendations),
		convert("frontend.cart", boutiqueItems+1), // and the shipping costs
		{from: "frontend.cart", to: "shippingservice.quote", times: 1, request: 200, response: 120},
		{from: "frontend.order", to: "checkoutservice", times: 1, request: 400, response: 600},
		getProduct("frontend.order", boutiqueRecommendations),
	}
	for _, page := range []string{"home", "product", "cart", "order"} {
		calls = append(calls, call{from: "frontend." + page, to: "currencyservice.list", times: 1, request: 100, response: 300})
		if page != "order" {
			calls = append(calls, getCart("frontend."+page))
		}
		if page != "home" {
			calls = append(calls, call{from: "frontend." + page, to: "recommendationservice", times: 1, request: 180, response: 170})
		}
	}
	return calls
}

// checkoutCalls is what an order takes.
func checkoutCalls() []call {
	return []call{
		getCart("checkoutservice"),
		getProduct("checkoutservice", boutiqueItems),
		convert("checkoutservice", boutiqueItems+1),
		{from: "checkoutservice", to: "shippingservice.quote", times: 1, request: 200, response: 120},
		{from: "checkoutservice", to: "paymentservice", times: 1, request: 180, response: 150},
		{from: "checkoutservice", to: "shippingservice.ship", times: 1, request: 250, response: 140},
		{from: "checkoutservice", to: "cartservice.empty", times: 1, request: 140, response: 100},
		{from: "checkoutservice", to: "emailservice", times: 1, request: 700, response: 100},
	}
}

func listProducts(from string, times float64) call {
	return call{from: from, to: "productcatalogservice.list", times: times, request: 100, response: 100 + boutiqueProducts*300}
}

func getProduct(from string, times float64) call {
	return call{from: from, to: "productcatalogservice.get", times: times, request: 120, response: 400}
}

func convert(from string, times float64) call {
	return call{from: from, to: "currencyservice.convert", times: times, request: 130, response: 120}
}

func getCart(from string) call {
	return call{from: from, to: "cartservice.get", times: 1, request: 140, response: 160}
}

func advertisement(from string) call {
	return call{from: from, to: "adservice", times: 1, request: 120, response: 200}
}
