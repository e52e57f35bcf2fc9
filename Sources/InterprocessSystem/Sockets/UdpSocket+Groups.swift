import CInterprocess
import Glibc
import SystemPackage

/// A network interface of this machine, by its number.
public struct NetworkInterface: Sendable, Hashable {
    public let number: UInt32

    public init(number: UInt32) { self.number = number }

    /// The interface of a name, as `eth0`. The corresponding C function is `if_nametoindex`.
    ///
    /// - Throws: `ENODEV`.
    public init(named name: String) throws(FacilityError) {
        let found = try Facility.udp.call("if_nametoindex", on: name) {
            let found = unsafe if_nametoindex(name)
            return found == 0 ? -Int(errno) : Int(found)
        }
        number = UInt32(found)
    }

    /// The one that leads to this machine alone.
    public static var loopback: NetworkInterface { NetworkInterface(number: 1) }
}

/// Groups (multicast): a message to a group's address comes to all sockets that have joined it, and have its port.
extension UdpSocket {
    /// From now on the socket receives what is sent to the group, and comes by `interface`.
    ///
    /// The corresponding C function is `setsockopt(MCAST_JOIN_GROUP)`.
    ///
    /// - Parameter interface: nil is the one that the routes name for the group.
    /// - Throws: `EADDRINUSE` if it has joined already, `EINVAL` if that is no group of the socket's version, `ENODEV`, `ENOBUFS` beyond ``mostGroups()``.
    public func join(_ group: IPAddress, on interface: NetworkInterface? = nil) throws(FacilityError) {
        try change("setsockopt(MCAST_JOIN_GROUP)", ipc_group_join, group, interface)
    }

    /// From now on the socket does not receive what is sent to the group. The corresponding C function is `setsockopt(MCAST_LEAVE_GROUP)`.
    ///
    /// - Throws: `EADDRNOTAVAIL` if it has not joined.
    public func leave(_ group: IPAddress, on interface: NetworkInterface? = nil) throws(FacilityError) {
        try change("setsockopt(MCAST_LEAVE_GROUP)", ipc_group_leave, group, interface)
    }

    private func change(
        _ name: SystemCallName, _ option: CInt, _ group: IPAddress, _ interface: NetworkInterface?
    ) throws(FacilityError) {
        unsafe try InternetAddress(group, port: 0).withBytes(facility, name) { (bytes, count) throws(FacilityError) in
            _ = try facility.call(name, on: group.description) {
                unsafe ipc_change_group(
                    descriptor.rawValue, group.version == .v4 ? ipc_level_v4 : ipc_level_v6, option,
                    interface?.number ?? group.interface, bytes, count)
            }
        }
    }

    /// How many IPv4 groups a socket can be in, as the running kernel says it; nil without `/proc`.
    public static func mostGroups() -> Int? { kernelLimit("net/ipv4/igmp_max_memberships") }

    /// By which interface messages to groups are sent; else by the one that the routes name.
    ///
    /// The corresponding C functions are `setsockopt(IP_MULTICAST_IF)` and `setsockopt(IPV6_MULTICAST_IF)`.
    public func setGroupInterface(_ interface: NetworkInterface) throws(FacilityError) {
        switch try version() {
        case .v4:
            try facility.call("setsockopt(IP_MULTICAST_IF)") { ipc_set_group_interface_v4(descriptor.rawValue, interface.number) }
        case .v6:
            try setOption("setsockopt(IPV6_MULTICAST_IF)", ipc_level_v6, ipc_v6_group_interface, CInt(clamping: interface.number))
        }
    }

    /// Whether messages to groups come to sockets of this machine too, as they do unless this is called: the sender says it, and by the
    /// loopback interface they come all the same.
    ///
    /// The corresponding C functions are `setsockopt(IP_MULTICAST_LOOP)` and `setsockopt(IPV6_MULTICAST_LOOP)`.
    public func setGroupLoop(_ isOn: Bool) throws(FacilityError) {
        switch try version() {
        case .v4: try setOption("setsockopt(IP_MULTICAST_LOOP)", ipc_level_v4, ipc_v4_group_loop, isOn ? 1 : 0)
        case .v6: try setOption("setsockopt(IPV6_MULTICAST_LOOP)", ipc_level_v6, ipc_v6_group_loop, isOn ? 1 : 0)
        }
    }

    /// From how many networks to the next messages to groups are handed on: 0 to 255; 0 does not leave this machine, 1, which it is unless this is called, not this network.
    ///
    /// The corresponding C functions are `setsockopt(IP_MULTICAST_TTL)` and `setsockopt(IPV6_MULTICAST_HOPS)`.
    ///
    /// - Throws: `EINVAL`.
    public func setGroupHops(_ count: Int) throws(FacilityError) {
        // To the kernel, -1 is what it was.
        let count = count < 0 ? 256 : CInt(clamping: count)
        switch try version() {
        case .v4: try setOption("setsockopt(IP_MULTICAST_TTL)", ipc_level_v4, ipc_v4_group_hops, count)
        case .v6: try setOption("setsockopt(IPV6_MULTICAST_HOPS)", ipc_level_v6, ipc_v6_group_hops, count)
        }
    }

    /// The corresponding C function is `getsockopt(SO_DOMAIN)`.
    private func version() throws(FacilityError) -> IPAddress.Version {
        try option("getsockopt(SO_DOMAIN)", ipc_socket_family) == Int(AF_INET) ? .v4 : .v6
    }
}
