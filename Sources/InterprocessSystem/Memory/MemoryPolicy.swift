import CInterprocess
import SystemPackage

/// From which nodes of a machine with several (NUMA) memory is to be taken.
public enum MemoryPolicy: Sendable, Hashable {
    /// As the thread has it that touches a page first.
    case standard
    /// From the node of the processor that touches a page first.
    case local
    /// From this node, and where it has none left from others.
    case preferred(Int)
    /// From these nodes, and from no others.
    case bound([Int])
    /// From these nodes in turn, page by page.
    case interleaved([Int])

    /// The nodes that the machine has; a machine of one node has node 0. nil without `/sys`, or where the kernel has none.
    public static var nodes: [Int]? {
        guard let text = readSmallFile("/sys/devices/system/node/online") else { return nil }
        // Numbers and ranges of numbers, as in 0-3,8.
        return String(decoding: text, as: UTF8.self).split { $0 == "," || $0.isWhitespace }.flatMap { part -> [Int] in
            let ends = part.split(separator: "-").compactMap { Int($0) }
            return ends.isEmpty ? [] : Array(ends[0]...max(ends[0], ends[ends.count - 1]))
        }
    }

    /// Takes the memory of the calling thread, and of the threads and children that it makes, from now on by this policy; what it has stays where it is.
    ///
    /// The corresponding system call is `set_mempolicy`.
    ///
    /// - Throws: `EINVAL`, `EPERM` where a container forbids it, `ENOSYS` where the kernel has no nodes, `ENOMEM`.
    public func setForThread() throws(FacilityError) {
        try unsafe withNodes("set_mempolicy") { (mode, nodes, bits) throws(FacilityError) in
            try Facility.mappedMemory.call("set_mempolicy") { unsafe ipc_memory_set_policy(mode, nodes, bits) }
        }
    }

    /// As the kernel numbers the policies (`linux/mempolicy.h`).
    private var parts: (mode: CInt, nodes: [Int]) {
        switch self {
        case .standard: (0, [])
        case .preferred(let node): (1, [node])
        case .bound(let nodes): (2, nodes)
        case .interleaved(let nodes): (3, nodes)
        case .local: (4, [])
        }
    }

    /// Calls `body` with the policy as the kernel takes it: a bit for each node.
    fileprivate func withNodes(
        _ name: SystemCallName, _ body: (CInt, UnsafePointer<UInt>?, UInt) throws(FacilityError) -> Void
    ) throws(FacilityError) {
        // As many as Linux can be built for.
        let most = 1024
        let (mode, nodes) = parts
        var bits = [UInt](repeating: 0, count: most / UInt.bitWidth)
        for node in nodes {
            guard (0..<most).contains(node) else { throw FacilityError(.mappedMemory, name, .invalidArgument) }
            bits[node / UInt.bitWidth] |= 1 << (node % UInt.bitWidth)
        }
        try unsafe body(mode, nodes.isEmpty ? nil : bits, nodes.isEmpty ? 0 : UInt(most))
    }
}

extension MappedMemory where Self: ~Copyable {
    /// Takes the memory of `range`, whole pages, from the nodes of `policy`: what nobody has touched yet, and with `moving` also what this process alone has.
    ///
    /// The corresponding system call is `mbind`.
    ///
    /// - Parameter range: nil for all.
    /// - Throws: `EINVAL`, `EPERM` where a container forbids it, `ENOSYS` where the kernel has no nodes, `EFAULT`, `EIO`, `ENOMEM`.
    public func place(_ policy: MemoryPolicy, for range: Range<Int>? = nil, moving: Bool = false) throws(FacilityError) {
        try unsafe policy.withNodes("mbind") { (mode, nodes, bits) throws(FacilityError) in
            try unsafe call("mbind", range) { unsafe ipc_memory_bind($0, $1, mode, nodes, bits, moving ? 1 : 0) }
        }
    }
}
