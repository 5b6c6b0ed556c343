package densecache

import (
	"fmt"
	"strings"
	"sync"
	"unique"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// magic begins packed metadata, which stands in the place of generateName. The API server lets no such name through.
const magic = "\x00packed\x00"

// Pack is for the end of the transform of a cache: it packs the metadata of Secrets, and leaves everything else as it is. What
// makes the transform tells with IsPacked that there is nothing left to do.
func Pack(object any) (any, error) {
	whole, ok := object.(*metav1.PartialObjectMetadata)
	if !ok || whole.Kind != "Secret" || isPacked(whole) {
		return object, nil
	}
	content, err := whole.Marshal()
	if err != nil {
		return nil, fmt.Errorf("pack the metadata of Secret %s: %w", whole.Name, err)
	}
	text := shorten(magic, content)
	return &metav1.PartialObjectMetadata{
		TypeMeta: metav1.TypeMeta{Kind: shared(whole.Kind), APIVersion: shared(whole.APIVersion)},
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: text,
			// What a store looks at, as parts of the text.
			Namespace: shared(whole.Namespace), Name: within(text, whole.Name), ResourceVersion: within(text, whole.ResourceVersion), UID: within(text, whole.UID),
		},
	}, nil
}

// IsPacked reports whether an object is packed already.
func IsPacked(object any) bool {
	meta, ok := object.(*metav1.PartialObjectMetadata)
	return ok && isPacked(meta)
}

func isPacked(meta *metav1.PartialObjectMetadata) bool {
	return strings.HasPrefix(meta.GenerateName, magic)
}

// mostKept is how large a buffer may be that is used again.
const mostKept = 32 << 10

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// unpack is what was packed.
func unpack(packed *metav1.PartialObjectMetadata) *metav1.PartialObjectMetadata {
	buffer, ok := buffers.Get().(*[]byte)
	if !ok {
		panic("the pool holds something else")
	}
	*buffer = lengthen((*buffer)[:0], packed.GenerateName[len(magic):])
	whole := &metav1.PartialObjectMetadata{}
	err := whole.Unmarshal(*buffer) // It copies what it keeps.
	if cap(*buffer) <= mostKept {
		buffers.Put(buffer)
	}
	if err != nil {
		panic(fmt.Sprintf("the metadata of Secret %s was packed and cannot be unpacked: %v", packed.Name, err))
	}
	whole.TypeMeta, whole.Namespace = packed.TypeMeta, packed.Namespace // Those that all share.
	return whole
}

// unpacked is an object as everybody but the store knows it.
func unpacked(object client.Object) client.Object {
	if meta, ok := object.(*metav1.PartialObjectMetadata); ok && isPacked(meta) {
		return unpack(meta)
	}
	return object
}

// shared is a text of which the process has one for all.
func shared(text string) string { return unique.Make(text).Value() }

// within is a text that is a part of another, so that it takes no memory of its own.
func within[T ~string](whole string, part T) T {
	at := strings.Index(whole, string(part))
	if at < 0 {
		return part
	}
	return T(whole[at : at+len(part)])
}
