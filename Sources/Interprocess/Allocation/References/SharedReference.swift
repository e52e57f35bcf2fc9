import InterprocessSystem
import Synchronization

/// A value in an arena that processes hold together: it is there as long as anybody who lives holds it, and destroyed when the last one lets go or is killed.
///
/// ```swift
/// let scene = try arena.makeReference(Scene(width: 640))        // held by this process
/// try tickets.send(scene.ticket)                                // while it holds it …
///
/// let scene = try SharedReference(ticket, in: arena)            // … another one takes it
/// try scene.withValue { $0.frame += 1 }
/// ```                                                           // and lets go of it with its last variable
///
/// Within a process it is an object as any other: copies of the variable and threads share it, and `deinit` lets go. Between processes each has its own count, so that a killed one's is dropped by a survivor, and never another's.
///
/// **Ticket** what another process needs to take the value: 8 bytes, to be sent over any channel or kept anywhere. It holds nothing: as a weak reference it brings the value, or ``ArenaError`` `gone` if nobody holds it any more.
/// Who passes a ticket has to hold the value until the other one has taken it.
///
/// **Links** (``link(_:)``) name blocks that are the value's: whatever they name when it is destroyed is freed with it.
///
/// **Layout** "reference record". Besides the value's block it takes 64 bytes and 8 for each peer that there can be (320 with 32 peers), which are used again.
/// **Memory order** what was done to the value before a ticket was passed, as the channel has it; what its maker wrote is seen by all who take it.
/// **Death** at any instruction: what the killed process held, made or destroyed is let go of, destroyed, or destroyed to the end, once.
/// **Progress** to take and to let go waits for nobody in another process; the last one to let go frees the blocks.
/// **Fork** a child without `exec` gets `detached`, and lets go of nothing.
/// **Trust** every offset and number is checked when it is taken. The value is as good as those who may write to the segment.
/// **Source** decision record 0017.
public final class SharedReference<Value: Shareable>: Sendable {
    /// The arena that it is in.
    public let arena: SharedArena
    /// For others to take it, as long as this one holds it.
    public let ticket: ReferenceTicket<Value>
    /// Links that were asked for when it was made.
    public let linkCount: Int
    private let record: ReferenceRecord
    private let block: UInt64
    private let pointer: HeldPointer

    /// Takes the value of a ticket. O(1).
    ///
    /// **Death** in it: it is held or not, and then let go of.
    /// - Throws: ``ArenaError`` `gone`, `otherType`, `detached`, `damaged`.
    public convenience init(_ ticket: ReferenceTicket<Value>, in arena: SharedArena) throws(ArenaError) {
        let record = try arena.take(ticket.index, ticket.generation)
        do throws(ArenaError) { try self.init(arena, ticket, held: record) } catch {
            arena.letGo(record)
            throw error
        }
    }

    fileprivate init(_ arena: SharedArena, _ ticket: ReferenceTicket<Value>, held record: ReferenceRecord) throws(ArenaError) {
        let element = arena.core.element(Value.self)
        guard record.typeHash.loadRelaxed() == element.hash, record.size.loadRelaxed() == UInt64(element.size) else {
            throw .otherType(name: "\(ticket)", found: "\(record.size.loadRelaxed()) bytes of another type", wanted: element.summary)
        }
        let block = try arena.core.memory.allocated(arena.core.load(record.valueOffset))
        let place = Self.place(links: Int(record.links.loadRelaxed()))
        guard block.size >= place + element.size else { throw .damaged("links") }
        guard Int(block.offset) & (Self.alignment - 1) == 0 else { throw .damaged("value") }
        (self.arena, self.ticket, self.record, self.block) = (arena, ticket, record, block.offset)
        linkCount = Int(record.links.loadRelaxed())
        pointer = unsafe HeldPointer(raw: arena.core.memory.base + Int(block.offset) + place)
    }

    deinit { arena.letGo(record) }

    fileprivate static var alignment: Int { max(ArenaUnit.block, MemoryLayout<Value>.alignment) }
    /// Bytes of the links, with what is left free behind them.
    fileprivate static func place(links: Int) -> Int { ArenaUnit.roundUp(links * 8, alignment) }

    /// Calls `body` with the value, to be read or changed. Others may change it at the same time unless something keeps them from it. O(1).
    ///
    /// - Throws: ``ArenaError`` `detached`.
    public func withValue<R>(_ body: (inout Value) -> R) throws(ArenaError) -> R {
        try arena.core.check()
        return unsafe body(&pointer.raw.assumingMemoryBound(to: Value.self).pointee)
    }

    /// A copy of the value. O(1).
    ///
    /// - Throws: ``ArenaError`` `detached`.
    public var value: Value { get throws(ArenaError) { try withValue { $0 } } }

    /// A link of the value's, which names nothing at first. A block that is published in it (``SharedArena/publish(_:into:)``) is freed with the value, unless it was taken out before.
    ///
    /// - Precondition: `index` is in 0 ..< ``linkCount``.
    public func link(_ index: Int) -> ArenaLink {
        precondition((0..<linkCount).contains(index), "SharedReference.link(_:): there are \(linkCount) links")
        return ArenaLink(in: Offset(block), at: index * 8)
    }
}

/// What a process needs to take a value that another one holds: ``SharedReference/init(_:in:)``. 8 bytes.
///
/// Each value of an arena has another one, modulo 2^30 - 1 values in the same place.
@frozen
public struct ReferenceTicket<Value: Shareable>: Hashable, Sendable, Shareable, CustomStringConvertible {
    /// Bits 0–31 the number of the record, 32–61 the generation, which is never 0.
    public let rawValue: UInt64

    /// That a value of this type was there is the caller's word, and checked when it is taken.
    @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
    init(_ index: Int, _ generation: UInt32) { rawValue = UInt64(generation) << 32 | UInt64(index) }

    var index: Int { Int(rawValue & 0xffff_ffff) }
    var generation: UInt32 { UInt32(rawValue >> 32) }

    public var description: String { "reference \(index).\(generation)" }
}

/// Into a mapping that its user keeps alive.
@safe private struct HeldPointer: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer
}

extension SharedArena {
    /// Makes a value that processes hold together, this one first. O(1); O(references) now and then, when there are few free records.
    ///
    /// **Death** in it: there is nothing.
    /// - Parameter links: how many blocks it can have of its own; see ``SharedReference/link(_:)``.
    /// - Throws: ``ArenaError`` as ``allocate(byteCount:alignment:)``; then there is nothing.
    public func makeReference<Value: Shareable>(_ value: Value, links: Int = 0) throws(ArenaError) -> SharedReference<Value> {
        guard links >= 0, links <= limit / 8 else { throw .invalidSize }
        try core.check()
        let element = core.element(Value.self)
        let place = SharedReference<Value>.place(links: links)
        let (index, record) = try using { heap throws(ArenaError) in
            let cursor = core.referenceCursor.load(ordering: .relaxed)
            return try references.claimFree(core.claim, from: cursor, heap)
        }
        core.referenceCursor.store(index + 1, ordering: .relaxed)
        do throws(ArenaError) {
            try references.count(record, core.claim)
            record.typeHash.storeRelaxed(element.hash)
            record.size.storeRelaxed(UInt64(element.size))
            record.links.storeRelaxed(UInt32(links))
            try using { heap throws(ArenaError) in
                _ = try unsafe heap.allocate(
                    place + element.size, alignment: SharedReference<Value>.alignment, into: record.valueOffset
                ) { bytes in
                    unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[..<place]).initializeMemory(as: UInt8.self, repeating: 0)
                    unsafe bytes.storeBytes(of: value, toByteOffset: place, as: Value.self)
                }
            }
            let making = record.state
            // SYNC reference.state
            guard record.change(making, to: ReferenceState(.alive, making.generation)) else { throw .damaged("state") }
            return try SharedReference(self, ReferenceTicket(index, making.generation), held: record)
        } catch {
            references.uncount(record, core.claim)
            destroy(record)
            throw error
        }
    }

    var references: ReferenceTable { ReferenceTable(core.memory, core.segment.attachment.table) }

    fileprivate func take(_ index: Int, _ generation: UInt32) throws(ArenaError) -> ReferenceRecord {
        try core.check()
        guard let record = try references.alive(index, generation) else { throw .gone }
        try references.count(record, core.claim)
        do throws(ArenaError) { if try references.take(record, generation) { return record } } catch {
            letGo(record)
            throw error
        }
        letGo(record)
        throw .gone
    }

    fileprivate func letGo(_ record: ReferenceRecord) {
        guard !core.isDetached else { return }
        references.uncount(record, core.claim)
        if references.beginEnding(record, core.claim) { destroy(record) }
    }

    /// If it cannot be done to the end here, it is when this peer ends.
    private func destroy(_ record: ReferenceRecord) {
        try? using { heap throws(ArenaError) in
            references.destroy(record) { place, old throws(ArenaError) in try heap.change(place, from: old, to: 0) }
        }
    }
}
