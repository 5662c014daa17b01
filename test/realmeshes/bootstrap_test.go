//go:build linux

package realmeshes

import (
	"fmt"
	"net"
	"strconv"
)

// object and list are parts of Envoy's configuration, in its JSON form.
type (
	object = map[string]any
	list   = []any
)

const types = "type.googleapis.com/envoy.extensions."

// cluster is an upstream of an Envoy.
type cluster struct {
	name, address string
	http2         bool
	perRequest    bool // a connection for each request
	healthChecks  bool // by TCP, ten a second
	tls           *tlsEnd
}

// tlsEnd is what an end of connections with mutual TLS needs.
type tlsEnd struct {
	identity  identity
	authority string // PEM of who signs the other end
	name      string // of the server
	protocols []string
}

func socketAddress(address string) object {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // of a test's own
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		panic(err)
	}
	return object{"socket_address": object{"address": host, "port_value": number}}
}

func (c *cluster) config() object {
	o := object{
		"name": c.name, "type": "STATIC", "connect_timeout": "5s",
		"load_assignment": object{
			"cluster_name": c.name,
			"endpoints":    list{object{"lb_endpoints": list{object{"endpoint": object{"address": socketAddress(c.address)}}}}},
		},
	}
	http := object{"@type": types + "upstreams.http.v3.HttpProtocolOptions", "explicit_http_config": object{"http_protocol_options": object{}}}
	if c.http2 {
		http["explicit_http_config"] = object{"http2_protocol_options": object{}}
	}
	if c.perRequest {
		http["common_http_protocol_options"] = object{"max_requests_per_connection": 1}
	}
	o["typed_extension_protocol_options"] = object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http}
	if c.healthChecks {
		o["health_checks"] = list{object{
			"timeout": "1s", "interval": "0.1s", "no_traffic_interval": "0.1s", "unhealthy_threshold": 3, "healthy_threshold": 1,
			"tcp_health_check": object{"send": object{"text": "70696e67"}, "receive": list{object{"text": "706f6e67"}}},
		}}
	}
	if c.tls != nil {
		o["transport_socket"] = object{"name": "tls", "typed_config": object{
			"@type": types + "transport_sockets.tls.v3.UpstreamTlsContext", "sni": c.tls.name, "common_tls_context": c.tls.common(),
		}}
	}
	return o
}

func (e *tlsEnd) common() object {
	return object{
		"tls_certificates": list{object{
			"certificate_chain": object{"inline_string": e.identity.certificate},
			"private_key":       object{"inline_string": e.identity.key},
		}},
		"validation_context": object{"trusted_ca": object{"inline_string": e.authority}},
		"alpn_protocols":     e.protocols,
	}
}

// listener accepts connections and passes them to a cluster.
type listener struct {
	address, cluster string
	statPrefix       string
	http             bool // as requests, HTTP/1.1 or HTTP/2
	retries          int
	tls              *tlsEnd
	routes           list   // instead of one to the cluster
	wireBytes        string // a file that gets the wire bytes of each request, from the client and to it
}

func (l *listener) config() object {
	chain := object{"filters": list{l.filter()}}
	if l.tls != nil {
		chain["transport_socket"] = object{"name": "tls", "typed_config": object{
			"@type": types + "transport_sockets.tls.v3.DownstreamTlsContext", "require_client_certificate": true, "common_tls_context": l.tls.common(),
		}}
	}
	return object{"name": l.statPrefix, "address": socketAddress(l.address), "filter_chains": list{chain}}
}

func (l *listener) filter() object {
	if !l.http {
		return object{"name": "tcp", "typed_config": object{
			"@type": types + "filters.network.tcp_proxy.v3.TcpProxy", "stat_prefix": l.statPrefix, "cluster": l.cluster,
		}}
	}
	route := object{"cluster": l.cluster, "timeout": "30s"}
	if l.retries > 0 {
		route["retry_policy"] = object{"retry_on": "5xx", "num_retries": l.retries, "retry_back_off": object{"base_interval": "0.001s"}}
	}
	routes := l.routes
	if routes == nil {
		routes = list{object{"match": object{"prefix": "/"}, "route": route}}
	}
	var logs list
	if l.wireBytes != "" {
		logs = list{object{"name": "file", "typed_config": object{
			"@type": types + "access_loggers.file.v3.FileAccessLog", "path": l.wireBytes,
			"log_format": object{"text_format_source": object{"inline_string": "%DOWNSTREAM_WIRE_BYTES_RECEIVED% %DOWNSTREAM_WIRE_BYTES_SENT%\n"}},
		}}}
	}
	return object{"name": "http", "typed_config": object{
		"@type": types + "filters.network.http_connection_manager.v3.HttpConnectionManager", "access_log": logs, "stat_prefix": l.statPrefix, "codec_type": "AUTO",
		"route_config": object{"name": l.statPrefix, "virtual_hosts": list{object{"name": "all", "domains": list{"*"}, "routes": routes}}},
		"http_filters": list{object{"name": "router", "typed_config": object{"@type": types + "filters.http.router.v3.Router"}}},
	}}
}

// bootstrap puts a configuration together.
func bootstrap(clusters []*cluster, listeners []*listener) object {
	var c, l list
	for _, one := range clusters {
		c = append(c, one.config())
	}
	for _, one := range listeners {
		l = append(l, one.config())
	}
	return object{"static_resources": object{"clusters": c, "listeners": l}}
}

func at(host string, port uint16) string { return fmt.Sprintf("%s:%d", host, port) }

// portOf is the port of an address.
func portOf(address string) uint16 {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		panic(err) // of a test's own
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		panic(err)
	}
	return uint16(n)
}
