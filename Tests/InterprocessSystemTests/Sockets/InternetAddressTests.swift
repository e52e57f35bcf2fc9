import InterprocessSystem
import SystemPackage
import TestSupport
import Testing

@Suite("K1 addresses of the Internet's protocols")
struct InternetAddressTests {
    /// Prints what Python makes of each text: version, number, and the text as it writes it.
    private static let python = """
        import ipaddress, sys
        for text in sys.argv[1].split('\\n'):
            try:
                a = ipaddress.ip_address(text)
                print(a.version, '%x' % int(a), a, flush=True)
            except ValueError: print('None', flush=True)
        """

    /// The same of ours.
    private func reading(_ text: String) -> String {
        guard let address = IPAddress(text) else { return "None" }
        return "\(address.version == .v4 ? 4 : 6) \(String(address.number, radix: 16)) \(address)"
    }

    /// How Python writes IPv6 addresses that end in an IPv4 address: without it.
    private func isWrittenOtherwise(_ text: String) -> Bool {
        guard let address = IPAddress(text), address.version == .v6 else { return false }
        return address.number >> 32 == 0 || address.number >> 32 == 0xffff
    }

    private static let texts = [
        "0.0.0.0", "127.0.0.1", "255.255.255.255", "255.255.255.256", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.04", " 1.2.3.4", "1.2.3.4 ",
        "1.2.3.-4", "0x7f.0.0.1",
        "127.1", "1..2.3", "::", "::1", ":::", "1::", "1::2::3", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8",
        "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "fe80::1", "FE80::ABCD", "12345::", "00001::", "g::", ":1", "1:", "1:0:0:2:0:0:0:3",
        "1:0:0:2:3:0:0:4", "1:0:2:3:4:5:6:7",
        "::ffff:1.2.3.4", "::1.2.3.4", "::ffff:1.2.3.256", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1.2.3.4::", "localhost",
        "example.org", "", "%1", "[::1]",
    ]

    @Test("K1 addresses are read and written as by Python, also thousands that chance has made or spoilt")
    func againstPython() async throws {
        var random = SeededRandom(for: "addresses")
        var texts = Self.texts
        for _ in 0..<300 {
            var number: UInt128 = 0
            for _ in 0..<8 {
                number = number << 16 | UInt128(Bool.random(using: &random) ? 0 : UInt16.random(in: 0...UInt16.max, using: &random))
            }
            let v6 = IPAddress(v6: number).description
            let v4 = IPAddress(v4: UInt32.random(in: 0...UInt32.max, using: &random)).description
            texts += [v6, v4]
            for text in [v6, v4] {
                var spoilt = Array(text)
                let place = Int.random(in: spoilt.indices, using: &random)
                spoilt[place] = "0123456789abcdefg:.".randomElement(using: &random)!
                texts.append(String(spoilt))
            }
        }
        let python = try PeerProcess(python: Self.python, [texts.joined(separator: "\n")])
        for text in texts {
            let expected = try await python.line()
            let found = reading(text)
            if isWrittenOtherwise(text) {
                #expect(found.split(separator: " ").dropLast() == expected.split(separator: " ").dropLast(), "\(text)")
                #expect(IPAddress(IPAddress(text)!.description) == IPAddress(text))
            } else {
                #expect(found == expected, "\(text)")
            }
        }
    }

    @Test("K1 an interface is a number after the address; what C would not see the end of is no address")
    func interfaces() {
        #expect(IPAddress("fe80::1%2") == IPAddress(v6: 0xfe80 << 112 | 1, interface: 2))
        #expect(IPAddress("fe80::1%4294967295")?.description == "fe80::1%4294967295")
        for text in [
            "fe80::1%4294967296", "fe80::1%", "fe80::1%eth0", "fe80::1%1%2", "fe80::1%-1", "fe80::1%+1", "127.0.0.1%1", "127.0.0.1\0",
            "::1\0", "::1\0%1",
        ] {
            #expect(IPAddress(text) == nil, "\(text)")
        }
        #expect(IPAddress("::1") == .loopback(.v6) && IPAddress("127.0.0.1") == .loopback())
        #expect(IPAddress("::") == .any(.v6) && IPAddress("0.0.0.0") == .any())
    }

    @Test("K1 with a port: the largest, and not one more")
    func ports() {
        for text in ["127.0.0.1:80", "0.0.0.0:0", "[::1]:65535", "[fe80::1%2]:1"] { #expect(InternetAddress(text)?.description == text) }
        #expect(InternetAddress("127.0.0.1:65535")?.port == 65535)
        let wrong = [
            "127.0.0.1:65536", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:+8", "127.0.0.1:-8", "127.0.0.1: 8", "[127.0.0.1]:80", "::1:80",
            "[::1]", "[::1]80", "[]:80", "[:80",
            "]:80", "[::1:80", "localhost:80", "", ":", "127.0.0.1:8\0",
        ]
        for text in wrong { #expect(InternetAddress(text) == nil, "\(text)") }
    }

    @Test("K1 an address survives the kernel's form", arguments: IPAddress.Version.here)
    func kernel(_ version: IPAddress.Version) throws {
        let listener = try TcpListener.create(at: .here(version))
        let address = try listener.localAddress()
        #expect(address.ip == .loopback(version) && address.port != 0)
        // Of a socket of another kind, there is none.
        let pair = try UnixStream.pair()
        #expect(try TcpStream(owning: try pair.first.descriptor.duplicate()).localAddress() == InternetAddress(.any(), port: 0))
    }
}
