//go:build linux

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// endpointsFor is for how long the endpoints of a Service are taken for the same.
const endpointsFor = time.Second

// Service is what kube-proxy would make of a Service: connections to its address go to its ready pods in turn, on whatever node
// they are.
type Service struct {
	cluster         *Cluster
	namespace, name string

	mu    sync.Mutex
	turn  int
	known []Endpoint
	read  time.Time
}

// Endpoint is a ready pod of a Service.
type Endpoint struct {
	Pod, Node, Address string
}

// ServeService lets the pods of all nodes reach the pods of a Service, which has one port, at one of the service addresses.
func (c *Cluster) ServeService(address, namespace, name string) (*Service, error) {
	s := &Service{cluster: c, namespace: namespace, name: name}
	for _, n := range c.Nodes {
		if err := n.ForwardBy(address, s.Dial); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Dial connects to the pod whose turn it is.
func (s *Service) Dial(ctx context.Context) (net.Conn, error) {
	s.mu.Lock()
	endpoints, err := s.endpoints(ctx)
	s.turn++
	turn := s.turn
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if len(endpoints) == 0 {
		return nil, fmt.Errorf("the Service %s/%s has no pod that is ready", s.namespace, s.name)
	}
	return s.DialEndpoint(ctx, endpoints[turn%len(endpoints)])
}

// DialEndpoint connects to one of the pods.
func (s *Service) DialEndpoint(ctx context.Context, endpoint Endpoint) (net.Conn, error) {
	n, err := s.cluster.Node(endpoint.Node)
	if err != nil {
		return nil, err
	}
	return n.Dial(ctx, endpoint.Address)
}

// Endpoints are the pods that are ready.
func (s *Service) Endpoints(ctx context.Context) ([]Endpoint, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints(ctx)
}

func (s *Service) endpoints(ctx context.Context) ([]Endpoint, error) {
	if time.Since(s.read) < endpointsFor {
		return s.known, nil
	}
	slices, err := s.cluster.Client.DiscoveryV1().EndpointSlices(s.namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + s.name,
	})
	if err != nil {
		return nil, err
	}
	s.known, s.read = nil, time.Now()
	for _, slice := range slices.Items {
		if len(slice.Ports) != 1 || slice.Ports[0].Port == nil {
			return nil, errors.New("the Service has another number of ports than one")
		}
		for _, endpoint := range slice.Endpoints {
			if ready := endpoint.Conditions.Ready; ready != nil && !*ready || endpoint.NodeName == nil || endpoint.TargetRef == nil {
				continue
			}
			address := net.JoinHostPort(endpoint.Addresses[0], strconv.Itoa(int(*slice.Ports[0].Port)))
			s.known = append(s.known, Endpoint{Pod: endpoint.TargetRef.Name, Node: *endpoint.NodeName, Address: address})
		}
	}
	return s.known, nil
}
