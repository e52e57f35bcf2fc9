import Glibc

/// Where a socket of the Internet's protocols is found: the address of a machine, and a port.
public struct InternetAddress: SocketAddress, LosslessStringConvertible {
    public let ip: IPAddress
    /// 0, for a socket that is made: one that is free, chosen by the kernel.
    public let port: UInt16

    public init(_ ip: IPAddress, port: UInt16) { (self.ip, self.port) = (ip, port) }

    /// An address in numbers: `192.0.2.1:80`, `[2001:db8::1]:80`; nil for all else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port: UInt16 = decimal(text[text.index(after: colon)...]) else { return nil }
        let isBracketed = text.first == "[" && text[..<colon].last == "]" && text[..<colon].count > 1
        let name = isBracketed ? text[..<colon].dropFirst().dropLast() : text[..<colon]
        guard let ip = IPAddress(String(name)), isBracketed == (ip.version == .v6) else { return nil }
        self.init(ip, port: port)
    }

    public var description: String { ip.version == .v4 ? "\(ip):\(port)" : "[\(ip)]:\(port)" }

    public var family: Int32 { ip.version.family }

    /// Calls `body` with the address as the kernel takes it: `sockaddr_in` or `sockaddr_in6`.
    public func withBytes<R>(
        _: Facility, _: SystemCallName, _ body: (UnsafeRawPointer, Int) throws(FacilityError) -> R
    ) throws(FacilityError) -> R {
        try unsafe withUnsafeTemporaryAllocation(byteCount: 28, alignment: 8) { (bytes) throws(FacilityError) in
            _ = unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
            unsafe bytes.storeBytes(of: UInt16(truncatingIfNeeded: family), as: UInt16.self)
            unsafe bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
            switch ip.version {
            case .v4:
                unsafe bytes.storeBytes(of: UInt32(truncatingIfNeeded: ip.number).bigEndian, toByteOffset: 4, as: UInt32.self)
                return try unsafe body(bytes.baseAddress!, 16)
            case .v6:
                unsafe bytes.storeBytes(of: ip.number.bigEndian, toByteOffset: 8, as: UInt128.self)
                unsafe bytes.storeBytes(of: ip.interface, toByteOffset: 24, as: UInt32.self)
                return try unsafe body(bytes.baseAddress!, 28)
            }
        }
    }

    /// The address that the kernel has written; 0.0.0.0 for a socket of another kind.
    public static func reported(_ bytes: UnsafeRawBufferPointer) -> InternetAddress {
        let family = unsafe bytes.count < 16 ? 0 : CInt(bytes.loadUnaligned(as: UInt16.self))
        guard family == AF_INET || family == AF_INET6 && bytes.count >= 28 else { return InternetAddress(.any(), port: 0) }
        let port = unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        guard family == AF_INET6 else {
            return InternetAddress(
                IPAddress(v4: unsafe UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))), port: port)
        }
        let number = unsafe UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
        return InternetAddress(
            IPAddress(v6: number, interface: unsafe bytes.loadUnaligned(fromByteOffset: 24, as: UInt32.self)), port: port)
    }
}

extension IPAddress.Version {
    var family: Int32 { self == .v4 ? AF_INET : AF_INET6 }
}
