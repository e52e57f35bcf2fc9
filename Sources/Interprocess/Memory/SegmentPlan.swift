import CInterprocess
import InterprocessSystem

/// What a segment is to be: the values from which its header and the places of its parts follow.
///
///     0             header, one page
///     4096          peer table, whole pages
///     objectOffset  the object's control block, whole pages
///     dataOffset    the object's data, whole pages; mapped a second time right behind if `mirrorsData`
package struct SegmentPlan: Sendable {
    package var kind: SegmentKind
    /// Bytes of the object's control block.
    package var objectSize: Int
    /// Bytes of the object's data, at least.
    package var dataSize: Int
    package var mirrorsData: Bool
    /// In the object's own unit, for people and for openers that ask for so much.
    package var capacity: Int
    package var element: ElementDescription
    package var lifetime: Lifetime
    package var maximumPeers: Int
    /// How many bytes of the data are reserved at once; nil: all. The rest is by whoever is about to write there.
    package var reservedDataSize: Int?
    /// What an existing object's control block must have, if that is less than the size of a new one.
    package var minimumObjectSize: Int?

    static let page = Int(IPC_PAGE)
    /// No segment is larger: offsets fit in 40 bits everywhere.
    package static let maximumSize = 1 << 40

    static func roundUpToPage(_ size: Int) -> Int { (size + page - 1) / page * page }

    var peerOffset: Int { Self.page }
    var objectOffset: Int { peerOffset + Self.roundUpToPage(maximumPeers * MemoryLayout<ipc_peer_slot>.size) }
    var dataOffset: Int { objectOffset + Self.roundUpToPage(objectSize) }
    var roundedDataSize: Int { Self.roundUpToPage(dataSize) }
    var segmentSize: Int { dataOffset + roundedDataSize }
    var reservedSize: Int { dataOffset + min(roundedDataSize, Self.roundUpToPage(reservedDataSize ?? dataSize)) }

    func check(_ operation: String, _ object: String) throws(InterprocessError) {
        guard (1...Int(IPC_MAXIMUM_PEERS)).contains(maximumPeers) else {
            throw InterprocessError(
                .invalidArgument, operation, object, "the number of peers must be between 1 and \(IPC_MAXIMUM_PEERS), not \(maximumPeers)")
        }
        guard dataSize >= 0, objectSize >= 0, dataSize < Self.maximumSize, objectSize < Self.maximumSize, segmentSize <= Self.maximumSize
        else {
            throw InterprocessError(
                .invalidArgument, operation, object, "the size asked for is more than the largest possible segment, 1 TiB; ask for less")
        }
    }
}
