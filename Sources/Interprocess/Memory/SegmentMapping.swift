import InterprocessSystem
import SystemPackage

/// A segment mapped into this process.
///
///     base - nodeDistance + peerOffset   private pages: nodes of the keeper's robust list, one for each life word
///     base                               the segment
///     base + size                        the data a second time, if it is mirrored
///     base + size                        of a fan-in queue instead: room for each lane's part of the data, twice in a row, mapped when it is used
///                                        a page without access
///
/// Of an arena `base` is a multiple of ``arenaAlignment``, so that its blocks can be aligned to that.
///
/// The node of a life word stands `nodeDistance` before it, the same in every segment, and no other process can touch it.
@safe
final class SegmentMapping: @unchecked Sendable {
    /// More than the header and the largest peer table.
    static let nodeDistance = 256 * 1024

    /// What an arena's mapping begins at a multiple of.
    static let arenaAlignment = 2 << 20

    private let mapping: MemoryMapping
    /// Where the segment begins in the mapping.
    private let place: Int
    let base: UnsafeMutableRawPointer
    let header: SegmentHeader

    init(
        _ file: FileDescriptor, _ header: SegmentHeader, mirrorsData: Bool, _ operation: String, _ label: String
    ) throws(InterprocessError) {
        do throws(Errno) {
            let mirror = mirrorsData ? header.dataSize : 0
            let lanes = header.kind == .fanIn ? 2 * header.dataSize : 0
            let slack = header.kind == .arena ? Self.arenaAlignment : 0
            unsafe mapping = try MemoryMapping(reserving: Self.nodeDistance + slack + header.size + mirror + lanes + SegmentPlan.page)
            let start = unsafe UInt(bitPattern: mapping.base) + UInt(Self.nodeDistance)
            place = Self.nodeDistance + (slack == 0 ? 0 : Int((0 &- start) & UInt(slack - 1)))
            let tableSize = header.objectOffset - header.peerOffset
            try unsafe mapping.mapPrivate(at: place - Self.nodeDistance + header.peerOffset, size: tableSize)
            // Small ones are entered into the page table now, so that no first touch costs anything later; for large ones that would take
            // long, and it would reserve what is not reserved yet.
            try unsafe mapping.mapShared(
                file, from: 0, at: place, size: header.size,
                populate: header.size <= Self.populatedSize && header.reservedSize == header.size)
            if mirror > 0 {
                try unsafe mapping.mapShared(
                    file, from: header.dataOffset, at: place + header.size, size: mirror,
                    populate: header.size <= Self.populatedSize)
            }
        } catch {
            throw .system(error, operation, label, "mapping it")
        }
        unsafe base = mapping.base + place
        self.header = header
    }

    /// Maps the segment for looking at only: nothing can be written through it, and there is no place for a life word's node.
    init(readOnly file: FileDescriptor, _ header: SegmentHeader, _ operation: String, _ label: String) throws(InterprocessError) {
        do throws(Errno) {
            unsafe mapping = try MemoryMapping(reserving: header.size)
            place = 0
            try unsafe mapping.mapShared(file, from: 0, at: 0, size: header.size, readOnly: true)
        } catch {
            throw .system(error, operation, label, "mapping it")
        }
        unsafe base = mapping.base
        self.header = header
    }

    /// Maps a lane's part of a fan-in queue's data, `size` bytes at `offset` of the data, twice in a row; where. It may be done again.
    ///
    /// - Parameter populate: its memory is reserved, and entered into the page table now.
    func mapLane(_ file: FileDescriptor, at offset: Int, size: Int, populate: Bool) throws(Errno) -> UnsafeMutableRawPointer {
        precondition(header.kind == .fanIn && offset >= 0 && size > 0 && offset + size <= header.dataSize)
        let place = self.place + header.size + 2 * offset
        for copy in 0..<2 {
            try unsafe mapping.mapShared(
                file, from: header.dataOffset + offset, at: place + copy * size, size: size,
                populate: populate && size <= Self.populatedSize)
        }
        return unsafe base + header.size + 2 * offset
    }

    private static let populatedSize = 64 << 20

    var object: UnsafeMutableRawPointer { unsafe base + header.objectOffset }
    var data: UnsafeMutableRawPointer { unsafe base + header.dataOffset }

    /// The whole range, for the handler that runs in a forked child.
    var range: (UnsafeMutableRawPointer, Int) { unsafe (mapping.base, mapping.size) }

    func word32(_ offset: Int) -> SharedUInt32 { unsafe SharedUInt32(at: base + offset) }
    func word64(_ offset: Int) -> SharedUInt64 { unsafe SharedUInt64(at: base + offset) }
}
