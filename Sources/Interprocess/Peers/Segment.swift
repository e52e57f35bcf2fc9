import InterprocessSystem
import Synchronization
public import SystemPackage

/// A piece of memory that processes share, with the processes that have it open as its peers.
///
/// Queues and the other objects of the library each live in a segment of their own; this type is for bytes of one's own, and for asking any
/// of them about its peers.
///
/// ```swift
/// let segment = try Segment.openOrCreate("scratch", size: 1 << 20)
/// segment.withBytes { bytes in bytes.storeBytes(of: 42, as: Int.self) }
/// for await notice in segment.deaths { print(notice) }
/// ```
///
/// **Layout** segment header, peer table.
/// **Death** of a peer is known to the others as soon as the kernel has begun to end it, before its memory is torn down; what it held is
/// given back by a survivor.
/// **Trust** the header is checked when it is opened; the bytes are the peers', of any user who may write to the file.
@safe
public final class Segment: @unchecked Sendable {
    /// The object's name; nil if it is anonymous.
    public let name: ObjectName?
    /// What the header says.
    public var header: SegmentHeader { file.header }
    /// This process as a peer.
    public let peer: PeerID

    let file: SegmentFile
    let mapping: SegmentMapping
    let attachment: Attachment
    private let place: SegmentPlace?
    /// Where its name is; nil if it is anonymous.
    public var directory: ObjectDirectory? { place?.directory }
    private let keepAbandoned: @Sendable (SegmentMapping) -> Bool
    private let registration: ForkGuard.Registration

    /// Attaches to the segment in `file`.
    init(
        _ file: SegmentFile, _ place: SegmentPlace?, recovery: ObjectRecovery, keepAbandoned: @escaping @Sendable (SegmentMapping) -> Bool,
        _ operation: String
    ) throws(InterprocessError) {
        let label = place?.label ?? "anonymous segment"
        self.file = file
        self.place = place
        self.keepAbandoned = keepAbandoned
        name = place?.name
        mapping = file.mapping
        attachment = Attachment(file, recovery: recovery)
        do throws(Errno) {
            registration = try ForkGuard.register(mapping, file.descriptor)
        } catch {
            throw .system(error, operation, label, "registering for forks")
        }
        do throws(InterprocessError) {
            peer = try attachment.join(file, operation, label)
        } catch {
            registration.end()
            throw error
        }
    }

    deinit {
        if !attachment.isForeign {
            Keeper.current.detach(attachment)
            registration.end()
            removeNameIfLast()
        }
    }

    /// Does now what the end of this value does about the name: removes it if the segment lives until its last peer leaves, nobody else has
    /// it open, and
    /// it holds nothing that was not received. For a program that a signal is about to end: from here on this process does not count for
    /// the name.
    public func removeNameIfLast() {
        // A forked child's descriptor is not the segment's any more.
        guard let place, header.lifetime == .untilLastPeerLeaves, !attachment.isForeign else { return }
        let table = attachment.table
        file.leave(place, isOthers: { table.isAnyoneAlive(but: peer) }, unless: { keepAbandoned(mapping) })
    }

    /// Removes the name if nobody else has the segment open, also if something is lost with it; whether nobody else had. This value stays
    /// usable.
    public func removeNameIfAlone() -> Bool {
        guard let place, !attachment.isForeign else { return false }
        return file.removeIfAlone(place)
    }

    /// All peers that have joined and not left, this process among them; a dead one until it is repaired. O(slots of the table).
    public var peers: [PeerInformation] { attachment.table.all() }

    /// The deaths of other peers from now on. Each call makes a stream of its own; it ends when the segment is closed.
    ///
    /// Of more than 31 that die before this process has run again, the last 31 are told; ``deathCount`` counts all.
    public var deaths: AsyncStream<DeathNotice> { attachment.deaths() }

    /// An element now, and one after each time that peers have joined, left or died; several changes may be one.
    package var membershipChanges: AsyncStream<Void> { attachment.membershipChanges() }

    /// How many deaths have been announced since the segment was made, modulo 2^32.
    public var deathCount: UInt32 { attachment.table.deaths.loadAcquire() }

    /// The descriptor of the segment, to be passed to another process, which opens it with ``open(descriptor:)``. It stays this segment's.
    public var descriptor: FileDescriptor { file.descriptor }
}

extension PeerTable {
    /// Whether a peer other than `peer` is alive.
    fileprivate func isAnyoneAlive(but peer: PeerID) -> Bool {
        (0..<count).contains { slot in
            let life = life(slot).loadAcquire()
            return slot != peer.slot && life != 0 && !Self.isDead(life)
        }
    }
}
