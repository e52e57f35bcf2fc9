import Glibc

/// The address of a machine: a number of 32 bits (IPv4) or of 128 (IPv6). Names are not looked up.
public struct IPAddress: Sendable, Hashable, LosslessStringConvertible {
    public enum Version: Sendable, Hashable, CaseIterable {
        case v4, v6
    }

    public let version: Version
    /// The address as a number: 127.0.0.1 is `0x7f00_0001`.
    public let number: UInt128
    /// The number of the network interface, for IPv6 addresses that mean something only together with it (`fe80::1%2`); else 0.
    public let interface: UInt32

    public init(v4 number: UInt32) { (self.version, self.number, interface) = (.v4, UInt128(number), 0) }

    public init(v6 number: UInt128, interface: UInt32 = 0) { (self.version, self.number, self.interface) = (.v6, number, interface) }

    /// This machine, within itself: 127.0.0.1 or ::1.
    public static func loopback(_ version: Version = .v4) -> IPAddress { version == .v4 ? IPAddress(v4: 0x7f00_0001) : IPAddress(v6: 1) }

    /// All addresses of this machine, for a socket that receives: 0.0.0.0 or ::. A socket at :: receives what is for IPv4 too, from addresses as ::ffff:127.0.0.1
    /// (unless `net.ipv6.bindv6only` is set).
    public static func any(_ version: Version = .v4) -> IPAddress { version == .v4 ? IPAddress(v4: 0) : IPAddress(v6: 0) }

    /// An address in numbers: `192.0.2.1`, `2001:db8::1`, `fe80::1%2`; nil for all else, and for names. The interface is a number.
    ///
    /// The corresponding C function is `inet_pton`.
    public init?(_ text: String) {
        // To C, it would end there.
        guard !text.utf8.contains(0) else { return nil }
        var v4: UInt32 = 0
        if unsafe inet_pton(AF_INET, text, &v4) == 1 {
            self.init(v4: UInt32(bigEndian: v4))
            return
        }
        let parts = text.split(separator: "%", omittingEmptySubsequences: false)
        var v6: UInt128 = 0
        guard parts.count <= 2, unsafe inet_pton(AF_INET6, String(parts[0]), &v6) == 1 else { return nil }
        guard let interface = parts.count == 2 ? decimal(parts[1]) : UInt32(0) else { return nil }
        self.init(v6: UInt128(bigEndian: v6), interface: interface)
    }

    /// The corresponding C function is `inet_ntop`.
    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        switch version {
        case .v4:
            var bytes = UInt32(truncatingIfNeeded: number).bigEndian
            unsafe inet_ntop(AF_INET, &bytes, &text, socklen_t(text.count))
        case .v6:
            var bytes = number.bigEndian
            unsafe inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
        }
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return interface == 0 ? address : "\(address)%\(interface)"
    }
}

/// A number in decimal digits and nothing else; nil if it is too large.
func decimal<N: FixedWidthInteger>(_ text: Substring) -> N? {
    text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 } ? N(text) : nil
}
