package github

import (
	"maps"
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Both registries of IANA (iana-ipv4-special-registry, iana-ipv6-special-registry), and what else is known to lead
// where it should not.
func TestAddressesThatAreSpecialAreNotDialledUnlessListed(t *testing.T) {
	for text, source := range map[string]string{
		"0.0.0.0": "RFC 791, this host", "0.1.2.3": "RFC 791, this network",
		"127.0.0.1": "RFC 1122, loopback", "127.8.8.8": "RFC 1122, loopback",
		"169.254.169.254": "RFC 3927, link-local: metadata", "169.254.170.2": "RFC 3927, link-local: AWS ECS",
		"192.0.0.1": "RFC 7335, DS-Lite", "192.0.0.8": "RFC 7600, dummy", "192.0.0.170": "RFC 7050, NAT64 discovery", "192.0.0.192": "Oracle Cloud's metadata",
		"192.0.2.1": "RFC 5737, documentation", "198.51.100.1": "RFC 5737, documentation", "203.0.113.1": "RFC 5737, documentation",
		"192.31.196.1": "RFC 7535, AS112", "192.175.48.1": "RFC 7534, AS112", "192.52.193.1": "RFC 7450, AMT", "192.88.99.1": "RFC 7526, 6to4 relays",
		"198.18.0.1": "RFC 2544, benchmarks", "198.19.255.254": "RFC 2544, benchmarks",
		"224.0.0.1": "RFC 5771, multicast", "239.255.255.250": "RFC 2365, multicast",
		"240.0.0.1": "RFC 1112, reserved", "255.255.255.255": "RFC 8190, broadcast",
		"100.100.100.200": "Alibaba Cloud's metadata", "168.63.129.16": "Azure's platform",

		"::": "RFC 4291, unspecified", "::1": "RFC 4291, loopback", "::8.8.8.8": "RFC 4291, IPv4-compatible",
		"::ffff:127.0.0.1": "RFC 4291, IPv4-mapped", "::ffff:169.254.169.254": "RFC 4291, IPv4-mapped", "::ffff:0:8.8.8.8": "RFC 2765, SIIT",
		"64:ff9b::127.0.0.1": "RFC 6052, NAT64", "64:ff9b::169.254.169.254": "RFC 6052, NAT64", "64:ff9b:0:1::1": "beside RFC 6052",
		"64:ff9b:1::169.254.169.254": "RFC 8215, NAT64 of local use", "64:ff9b:1:a9fe:a9:fe00::": "RFC 8215 with a /48", "64:ff9b:1::8.8.8.8": "RFC 8215",
		"100::1": "RFC 6666, discard", "100:0:0:1::1": "RFC 9780, dummy",
		"2001::1": "RFC 4380, Teredo", "2001:0:a9fe:a9fe::1": "RFC 4380, Teredo", "2001:1::1": "RFC 7723, PCP", "2001:1::2": "RFC 8155, TURN", "2001:2::1": "RFC 5180, benchmarks",
		"2001:3::1": "RFC 7450, AMT", "2001:4:112::1": "RFC 7535, AS112", "2001:10::1": "RFC 4843, ORCHID", "2001:20::1": "RFC 7343, ORCHIDv2", "2001:30::1": "RFC 9374, DRIP",
		"2001:1ff::1": "RFC 2928, protocol assignments", "2001:db8::1": "RFC 3849, documentation", "3fff::1": "RFC 9637, documentation",
		"2002:7f00:1::": "RFC 3056, 6to4", "2002:a9fe:a9fe::1": "RFC 3056, 6to4", "2002:808:808::1": "RFC 3056, 6to4",
		"2620:4f:8000::1": "RFC 7534, AS112", "5f00::1": "RFC 9602, SRv6", "4000::1": "RFC 4291, not assigned", "e000::1": "RFC 4291, not assigned",
		"2606:50c0::5efe:169.254.169.254": "RFC 5214, ISATAP", "fd12:3456::200:5efe:127.0.0.1": "RFC 5214, ISATAP",
		"fe80::1": "RFC 4291, link-local", "fe80::1%eth0": "RFC 4007, with a zone", "fec0::1": "RFC 3879, site-local", "ff02::1": "RFC 4291, multicast",
		"fd00:ec2::254": "AWS's metadata", "fd20:ce::254": "Google Cloud's metadata",
	} {
		address := netip.MustParseAddr(text)
		if mayDial(address, nil) {
			t.Errorf("%s may be dialled (%s)", text, source)
		}
		if !mayDial(address, prefixes("0.0.0.0/0", "::/0")) {
			t.Errorf("%s is refused although it is listed (%s)", text, source)
		}
	}
	if mayDial(netip.MustParseAddr("169.254.169.254"), prefixes(loopbackNet)) {
		t.Error("allowing loopback allows metadata")
	}
	if !mayDial(netip.MustParseAddr("64:ff9b::127.0.0.1"), prefixes(loopbackNet)) {
		t.Error("what is listed is refused behind NAT64")
	}
}

func TestAddressesThatArePublicOrPrivateAreDialled(t *testing.T) {
	for _, text := range []string{
		"140.82.121.4", "20.199.39.232", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "192.0.1.1", "198.20.0.1",
		"2606:50c0::1", "2001:200::1", "2a00:1450:4001::1", "3ffe::1", "fc12::1", "fd12:3456::1", "fd12::5efe:10.0.0.1",
		"64:ff9b::140.82.121.4", "64:ff9b::10.0.0.1", "::ffff:10.0.0.1", "::ffff:140.82.121.4",
	} {
		if !mayDial(netip.MustParseAddr(text), nil) {
			t.Errorf("%s is refused", text)
		}
	}
}

// embeddings are the forms in which an address of IPv6 carries one of IPv4. rest is what the form leaves open.
var embeddings = map[string]func(inner [4]byte, rest [16]byte) [16]byte{
	"mapped, RFC 4291":     func(in [4]byte, _ [16]byte) [16]byte { return lastOf(in, netip.MustParseAddr("::ffff:0:0").As16()) },
	"compatible, RFC 4291": func(in [4]byte, _ [16]byte) [16]byte { return lastOf(in, [16]byte{}) },
	"SIIT, RFC 2765":       func(in [4]byte, _ [16]byte) [16]byte { return lastOf(in, netip.MustParseAddr("::ffff:0:0:0").As16()) },
	"NAT64, RFC 6052":      func(in [4]byte, _ [16]byte) [16]byte { return lastOf(in, nat64.Addr().As16()) },
	"NAT64 of local use, RFC 8215": func(in [4]byte, rest [16]byte) [16]byte {
		at := []int{6, 7, 8, 12}[rest[0]%4] // prefixes of 48, 56, 64 and 96 bits
		whole := under("64:ff9b:1::/48", rest)
		for i, b := range in {
			if at+i >= 8 && at < 12 {
				whole[at+i+1] = b // Byte 8 is left out.
			} else {
				whole[at+i] = b
			}
		}
		return whole
	},
	"6to4, RFC 3056": func(in [4]byte, rest [16]byte) [16]byte {
		whole := under("2002::/16", rest)
		copy(whole[2:], in[:])
		return whole
	},
	"Teredo's server, RFC 4380": func(in [4]byte, rest [16]byte) [16]byte {
		whole := under("2001::/32", rest)
		copy(whole[4:], in[:])
		return whole
	},
	"Teredo's client, RFC 4380": func(in [4]byte, rest [16]byte) [16]byte {
		return lastOf([4]byte{^in[0], ^in[1], ^in[2], ^in[3]}, under("2001::/32", rest))
	},
	"ISATAP, RFC 5214": func(in [4]byte, rest [16]byte) [16]byte {
		whole := lastOf(in, under([]string{"2000::/3", "fc00::/7"}[rest[0]%2], rest))
		copy(whole[8:], []byte{rest[1] & 2, 0, 0x5e, 0xfe})
		return whole
	},
}

func lastOf(inner [4]byte, whole [16]byte) [16]byte {
	copy(whole[12:], inner[:])
	return whole
}

// under is an address of a prefix with the given bits behind it.
func under(prefix string, rest [16]byte) [16]byte {
	p := netip.MustParsePrefix(prefix)
	whole := p.Addr().AsSlice()
	for bit := p.Bits(); bit < 8*len(whole); bit++ {
		whole[bit/8] |= rest[bit/8] & (0x80 >> (bit % 8))
	}
	var address [16]byte
	copy(address[:], whole)
	return address
}

func TestAddressInAnyFormThatCarriesARefusedOneIsNotDialled(t *testing.T) {
	var refused []netip.Prefix
	for _, prefix := range refusedPrefixes {
		if prefix.Addr().Is4() {
			refused = append(refused, prefix)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.SampledFrom(refused).Draw(t, "prefix")
		bits := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bits"))
		rest := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "rest"))
		inner := under(prefix.String(), bits)
		form := rapid.SampledFrom(slices.Sorted(maps.Keys(embeddings))).Draw(t, "form")
		address := netip.AddrFrom16(embeddings[form]([4]byte(inner[:4]), rest))
		if mayDial(netip.AddrFrom4([4]byte(inner[:4])), nil) {
			t.Fatalf("%s may be dialled", netip.AddrFrom4([4]byte(inner[:4])))
		}
		if mayDial(address, nil) {
			t.Fatalf("%s may be dialled, which carries %s (%s)", address, netip.AddrFrom4([4]byte(inner[:4])), form)
		}
	})
}
