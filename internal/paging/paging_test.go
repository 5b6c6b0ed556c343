package paging

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/watchlist"
)

// server is an API server that sends lists in pages, if it is asked to.
type server struct {
	cache.ListWatch
	objects int
	asked   []metav1.ListOptions
}

func newServer(objects int) *server {
	s := &server{objects: objects}
	s.ListWithContextFunc = s.list
	return s
}

func (s *server) list(_ context.Context, options metav1.ListOptions) (runtime.Object, error) {
	s.asked = append(s.asked, options)
	from, _ := strconv.Atoi(options.Continue)
	to := s.objects
	if options.Limit > 0 && options.ResourceVersion != "0" {
		to = min(to, from+int(options.Limit))
	}
	list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: "7"}}
	if to < s.objects {
		list.Continue = strconv.Itoa(to)
	}
	for i := from; i < to; i++ {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: strconv.Itoa(i), Labels: map[string]string{"large": "x"}}})
	}
	return list, nil
}

func trim(object any) (any, error) {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil, fmt.Errorf("a %T", object)
	}
	pod.Labels = nil
	return pod, nil
}

func TestPagingListsAreMadeInTrimmedPages(t *testing.T) {
	for _, n := range []int{0, 1, PageSize, PageSize + 1, 7*PageSize - 3} {
		for _, version := range []string{"", "0", "5"} {
			t.Run(fmt.Sprintf("%d from %q", n, version), func(t *testing.T) {
				s := newServer(n)
				got, err := lists{&s.ListWatch, trim}.ListWithContext(t.Context(), metav1.ListOptions{ResourceVersion: version, Limit: 500})
				if err != nil {
					t.Fatal(err)
				}
				items, err := meta.ExtractList(got)
				if err != nil || len(items) != n {
					t.Fatalf("%d objects, %v", len(items), err)
				}
				for i, item := range items {
					if pod, ok := item.(*corev1.Pod); !ok || pod.Name != strconv.Itoa(i) || pod.Labels != nil {
						t.Errorf("object %d is %+v", i, item)
					}
				}
				for i, options := range s.asked {
					if options.Limit != PageSize || options.ResourceVersion == "0" || i > 0 && options.ResourceVersion != "" {
						t.Errorf("asked for %+v", options)
					}
				}
				list, err := meta.ListAccessor(got)
				if err != nil || list.GetResourceVersion() != "7" || list.GetContinue() != "" {
					t.Errorf("the list is %+v", list)
				}
			})
		}
	}
}

// client-go asks the source of an informer whether it can stream.
func TestPagingListsCanStillBeStreams(t *testing.T) {
	if watchlist.DoesClientNotSupportWatchListSemantics(lists{&newServer(0).ListWatch, trim}) {
		t.Error("informers would begin with a list")
	}
}
